/** One attempt of GitHub to deliver, as its list of deliveries shows it; several share a GUID. */
export interface Attempt {
  /** A whole number too large for a JavaScript number. */
  id: string;
  guid: string;
  delivered_at: Date;
  redelivery: boolean;
  /** The status we answered; 0 when there was no answer. */
  status_code: number;
  event: string;
  action: string | null;
}

/** How our own log knows a GUID. */
export interface LogEntry {
  status: 'received' | 'processed' | 'failed';
  reason: string | null;
}

export interface Gaps {
  missing: number;
  failed: number;
  given_up: number;
  /** To ask for again, oldest first: what GitHub forgets first. The id is of the latest attempt. */
  redeliver: Attempt[];
}

/** Asked for as often in vain, a delivery is given up. */
const MAX_REDELIVERIES = 3;

/** Faults of the delivery itself: the same bytes fail again. */
const UNMENDABLE = new Set([
  'invalid_json',
  'invalid_utf8',
  'unsupported_media_type',
  'unexpected_shape',
  'event_body_mismatch',
  'payload_too_large',
  'guid_body_mismatch',
]);

/**
 * What of GitHub's attempts has not arrived, or failed here, and still matters.
 * @param wants whether the webhook listens to an event (`issues.opened`)
 */
export function judgeGaps(
  attempts: Attempt[],
  log: ReadonlyMap<string, LogEntry>,
  wants: (type: string) => boolean,
): Gaps {
  const gaps: Gaps = { missing: 0, failed: 0, given_up: 0, redeliver: [] };
  for (const [first, ...others] of byGuid(attempts)) {
    // Of one whose first attempt lies before the look, an earlier look has judged.
    if (first === undefined || first.redelivery) continue;
    const latest = others.at(-1) ?? first;
    const known = log.get(first.guid);
    const arrived = known !== undefined && known.status !== 'failed';
    if (arrived || first.event === 'ping' || !wants(typeOf(first))) continue;
    if ([first, ...others].some(succeeded)) continue;
    const redeliveries = others.filter(({ redelivery }) => redelivery).length;
    if (UNMENDABLE.has(known?.reason ?? '') || redeliveries >= MAX_REDELIVERIES) {
      gaps.given_up += 1;
      continue;
    }
    if (known === undefined) gaps.missing += 1;
    else gaps.failed += 1;
    gaps.redeliver.push(latest);
  }
  gaps.redeliver.sort((a, b) => a.delivered_at.getTime() - b.delivered_at.getTime());
  return gaps;
}

/** The attempts of each GUID, oldest first; the ids grow with time, also within a second. */
function byGuid(attempts: Attempt[]): Attempt[][] {
  const groups = new Map<string, Attempt[]>();
  for (const attempt of attempts.toSorted(byAge))
    groups.set(attempt.guid, [...(groups.get(attempt.guid) ?? []), attempt]);
  return [...groups.values()];
}

const byAge = (a: Attempt, b: Attempt): number =>
  a.delivered_at.getTime() - b.delivered_at.getTime() || (BigInt(a.id) < BigInt(b.id) ? -1 : 1);

const succeeded = ({ status_code }: Attempt): boolean => status_code >= 200 && status_code <= 299;

/** The list does not say whether a pull request was merged: whoever waits for that wants to know of its closing. */
const typeOf = ({ event, action }: Attempt): string =>
  event === 'pull_request' && action === 'closed'
    ? 'pull_request.merged'
    : action === null
      ? event
      : `${event}.${action}`;
