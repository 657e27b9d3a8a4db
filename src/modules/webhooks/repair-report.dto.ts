/** What a check for deliveries that GitHub could not make has found, and done. */
export class RepairReportDto {
  checked_at: string;
  /** Attempts of GitHub that were looked at. */
  listed: number;
  /** Deliveries GitHub could not make, and that never arrived. */
  missing: number;
  /** Deliveries that arrived, and that the service itself failed on. */
  failed: number;
  /** Redeliveries that GitHub was asked for. */
  requested: number;
  /** Deliveries that another attempt would not mend, or that three have not. */
  given_up: number;
  /** Whether the check ended early: too many deliveries, or GitHub's rate limit. The next one goes on. */
  truncated: boolean;
  error: string | null;
  /** All that GitHub sent until then has arrived or was given up. */
  settled_until: string | null;
}
