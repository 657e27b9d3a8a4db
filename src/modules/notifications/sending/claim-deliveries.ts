import { type DataSource, type EntityManager } from 'typeorm';
import { newId } from '../../../database/new-id.js';
import { type OutboundWebhook } from '../outbound-webhook.entity.js';

/** What is to be sent now, by whoever claimed it. */
export interface ClaimedDelivery {
  position: number;
  id: string;
  webhook_id: string;
  org_id: string;
  team_id: string | null;
  task_id: number | null;
  correlation_id: string;
  event: string;
  body: string;
  claim_id: string;
  /** This one included. */
  attempts: number;
  failures: number;
  manual: boolean;
  created_at: Date;
}

/** The part of a webhook that sending needs. */
export type Receiver = Pick<OutboundWebhook, 'id' | 'url' | 'secret' | 'previous_secrets' | 'api_key'>;

export interface Claim {
  deliveries: ClaimedDelivery[];
  receivers: Map<string, Receiver>;
  /** Milliseconds until a receiver whose rate is used up may be called again. */
  wait_ms: number | null;
  /** There may be more that could be claimed at once. */
  more: boolean;
}

interface LockedReceiver extends Receiver {
  max_concurrency: number;
  rate_per_second: number;
  probing: boolean;
  tokens: number;
}

interface DueRow {
  webhook_id: string;
  places: number;
  due: number;
  taken: number;
  blocked: number;
}

const MAX_RECEIVERS = 100;
/** Looked at beyond what may be sent: those that must wait for an earlier one of their task are found and put aside. */
const EXTRA = 50;

/**
 * Receivers with something due that may be called, each locked: whatever happens to the deliveries of one webhook
 * happens under its lock. Who is locked by another notifier is left to it. A bucket holds one second's worth of calls.
 */
const LOCK_RECEIVERS = `
  SELECT w.id, w.url, w.secret, w.previous_secrets, w.api_key, w.max_concurrency, w.rate_per_second,
    s.open_until IS NOT NULL AS probing,
    CASE WHEN s.tokens_at IS NULL THEN w.rate_per_second ELSE least(w.rate_per_second,
      s.tokens + w.rate_per_second * extract(epoch FROM clock_timestamp() - s.tokens_at)) END::float8 AS tokens
  FROM outbound_webhook_states s JOIN outbound_webhooks w ON w.id = s.webhook_id
  WHERE w.active AND (s.open_until IS NULL OR s.open_until <= clock_timestamp())
    AND EXISTS (SELECT FROM outbound_deliveries d WHERE d.webhook_id = s.webhook_id
                AND d.status IN ('pending', 'delivering') AND d.due_at <= clock_timestamp())
  ORDER BY s.claimed_at NULLS FIRST, s.webhook_id
  LIMIT ${MAX_RECEIVERS}
  FOR NO KEY UPDATE OF s SKIP LOCKED`;

/**
 * A statement of its own, so that it sees what was committed before the locks were had. A delivery is blocked by an
 * earlier one of its task that is not finished, but for one whose next attempt is more than five minutes away. One that
 * was being delivered until its lease ran out has lost an attempt.
 */
const CLAIM = `
  WITH room AS (
    SELECT r.webhook_id, greatest(0, least(r.places - (
      SELECT count(*) FROM outbound_deliveries d
      WHERE d.webhook_id = r.webhook_id AND d.status = 'delivering' AND d.due_at > clock_timestamp()), r.tokens)) AS places
    FROM unnest($1::uuid[], $2::int[], $3::int[]) AS r (webhook_id, places, tokens)
  ), due AS MATERIALIZED (
    SELECT r.webhook_id, r.places, d.*
    FROM room r CROSS JOIN LATERAL (
      SELECT d.position, d.status, d.attempts, d.due_at, EXISTS (
        SELECT FROM outbound_deliveries e
        WHERE e.webhook_id = d.webhook_id AND e.task_id = d.task_id AND e.finished_at IS NULL AND e.position < d.position
          AND NOT (e.status = 'pending' AND e.due_at > clock_timestamp() + interval '5 minutes')) AS blocked
      FROM outbound_deliveries d
      WHERE d.webhook_id = r.webhook_id AND d.status IN ('pending', 'delivering') AND d.due_at <= clock_timestamp()
        AND r.places > 0
      ORDER BY d.due_at, d.position
      LIMIT r.places + ${EXTRA}
    ) d
  ), taken AS MATERIALIZED (
    SELECT * FROM (
      SELECT due.*, row_number() OVER (PARTITION BY webhook_id ORDER BY due_at, position) AS place
      FROM due WHERE NOT blocked
    ) ranked
    WHERE place <= places ORDER BY place, position LIMIT $4
  ), put_aside AS (
    UPDATE outbound_deliveries d SET status = 'queued', claim_id = NULL FROM due
    WHERE d.position = due.position AND due.blocked
  ), lost AS (
    INSERT INTO outbound_attempts (delivery_position, attempt, outcome, started_at, error, detail)
    SELECT position, attempts, 'lost', due_at - make_interval(secs => $6), 'lost',
      'Whoever made this attempt did not live to record it; it may or may not have arrived'
    FROM due WHERE status = 'delivering' AND (blocked OR position IN (SELECT position FROM taken))
    ON CONFLICT DO NOTHING
  ), claimed AS (
    UPDATE outbound_deliveries d SET status = 'delivering', claim_id = $5, attempts = d.attempts + 1,
      due_at = clock_timestamp() + make_interval(secs => $6)
    FROM taken t WHERE d.position = t.position
    RETURNING d.position, d.id, d.webhook_id, d.org_id, d.team_id, d.task_id, d.correlation_id, d.event, d.body,
      d.claim_id, d.attempts, d.failures, d.manual, d.created_at
  ), bucket AS (
    UPDATE outbound_webhook_states s SET claimed_at = clock_timestamp(), tokens_at = clock_timestamp(),
      tokens = b.tokens - (SELECT count(*) FROM claimed c WHERE c.webhook_id = s.webhook_id)
    FROM unnest($1::uuid[], $7::float8[]) AS b (webhook_id, tokens) WHERE s.webhook_id = b.webhook_id
  )
  SELECT (SELECT coalesce(json_agg(c ORDER BY c.position), '[]') FROM claimed c) AS claimed,
    (SELECT coalesce(json_agg(x), '[]') FROM (
      SELECT r.webhook_id, r.places, count(due.position) AS due, count(t.position) AS taken,
        count(*) FILTER (WHERE due.blocked) AS blocked
      FROM room r LEFT JOIN due USING (webhook_id) LEFT JOIN taken t ON t.position = due.position
      GROUP BY r.webhook_id, r.places) x) AS receivers`;

/** Claims up to `room` deliveries, fairly over their receivers, none beyond its receiver's concurrency and rate. */
export async function claimDeliveries(db: DataSource, room: number, lease_seconds: number): Promise<Claim> {
  return db.transaction(async (manager) => {
    const locked = await manager.query<LockedReceiver[]>(LOCK_RECEIVERS);
    if (locked.length === 0) return { deliveries: [], receivers: new Map(), wait_ms: null, more: false };
    const { claimed, receivers } = await claimFrom(manager, locked, room, lease_seconds);
    return {
      deliveries: claimed.map((row) => ({ ...row, created_at: new Date(row.created_at) })),
      receivers: new Map(locked.map((receiver) => [receiver.id, receiver])),
      wait_ms: untilNextToken(locked, receivers),
      more:
        locked.length === MAX_RECEIVERS ||
        receivers.some((one) => one.taken < one.places && one.due === one.places + EXTRA),
    };
  });
}

async function claimFrom(
  manager: EntityManager,
  locked: LockedReceiver[],
  room: number,
  lease_seconds: number,
): Promise<{ claimed: ClaimedDelivery[]; receivers: DueRow[] }> {
  const [row] = await manager.query<{ claimed: ClaimedDelivery[]; receivers: DueRow[] }[]>(CLAIM, [
    locked.map((one) => one.id),
    locked.map((one) => (one.probing ? 1 : one.max_concurrency)),
    locked.map((one) => Math.floor(one.tokens)),
    room,
    newId(),
    lease_seconds,
    locked.map((one) => one.tokens),
  ]);
  return row ?? { claimed: [], receivers: [] };
}

/** Of those whose bucket is empty while more is due: when the first has a token again. */
function untilNextToken(locked: LockedReceiver[], rows: DueRow[]): number | null {
  const taken = new Map(rows.map((row) => [row.webhook_id, row.taken]));
  const waits = locked.flatMap((one) => {
    const left = one.tokens - (taken.get(one.id) ?? 0);
    return left >= 1 ? [] : [((1 - left) / one.rate_per_second) * 1000];
  });
  return waits.length === 0 ? null : Math.min(...waits);
}

/** Milliseconds until the next delivery that is not due yet is, or a paused receiver may be probed; null for never. */
export async function untilNextDue(db: DataSource): Promise<number | null> {
  const [row] = await db.query<{ wait_ms: number | null }[]>(`
    SELECT extract(epoch FROM min(at) - clock_timestamp())::float8 * 1000 AS wait_ms
    FROM outbound_webhook_states s JOIN outbound_webhooks w ON w.id = s.webhook_id
    CROSS JOIN LATERAL (
      SELECT min(d.due_at) AS at FROM outbound_deliveries d
      WHERE d.webhook_id = s.webhook_id AND d.status IN ('pending', 'delivering') AND d.due_at > clock_timestamp()
      UNION ALL
      SELECT s.open_until WHERE s.open_until > clock_timestamp() AND EXISTS (
        SELECT FROM outbound_deliveries d WHERE d.webhook_id = s.webhook_id AND d.status IN ('pending', 'delivering'))
    ) next
    WHERE w.active`);
  return row?.wait_ms ?? null;
}
