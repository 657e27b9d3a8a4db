import { type EntityManager } from 'typeorm';
import { toJson } from '../../tasks/tasks.facade.js';
import { type OutboundStatus } from '../outbound-delivery.entity.js';
import { type OutboundWebhookState } from '../outbound-webhook-state.entity.js';
import { type Attempt } from './send-delivery.js';

/** What became of a delivery by an attempt. */
export interface Outcome {
  attempt: Attempt;
  status: OutboundStatus;
  retry_in: number | null;
}

/** A delivery that waits longer than this lets the next one of its task go first. */
const PARKED_SECONDS = 300;

/** Only of deliveries that are still held by who made the attempt: another's result is not overwritten. */
const WRITE_OUTCOMES = `
  UPDATE outbound_deliveries d SET status = r.status, claim_id = NULL, manual = false, failures = d.failures + r.failed,
    response_status = r.response_status, error = r.error,
    due_at = CASE WHEN r.retry_in IS NULL THEN d.due_at ELSE clock_timestamp() + make_interval(secs => r.retry_in) END,
    finished_at = CASE WHEN r.status = 'pending' THEN NULL ELSE clock_timestamp() END
  FROM json_to_recordset($1) AS r (position bigint, claim_id uuid, status text, failed int, response_status int, error text,
    retry_in float8)
  WHERE d.position = r.position AND d.claim_id = r.claim_id AND d.status = 'delivering'
  RETURNING d.position`;

/** @returns those that counted. */
export async function writeOutcomes(
  manager: EntityManager,
  attempts: Attempt[],
  active: Set<string>,
): Promise<Outcome[]> {
  const outcomes = attempts.map((attempt) => outcomeOf(attempt, active));
  const [rows] = await manager.query<[{ position: number }[], number]>(WRITE_OUTCOMES, [
    toJson(
      outcomes.map(({ attempt: { delivery, answer, verdict }, status, retry_in }) => ({
        position: delivery.position,
        claim_id: delivery.claim_id,
        status,
        failed: verdict.outcome === 'failed' ? 1 : 0,
        response_status: answer?.status ?? null,
        error: verdict.error,
        retry_in,
      })),
    ),
  ]);
  const written = new Set(rows.map(({ position }) => position));
  return outcomes.filter(({ attempt }) => written.has(attempt.delivery.position));
}

function outcomeOf(attempt: Attempt, active: Set<string>): Outcome {
  const { outcome, retry_in } = attempt.verdict;
  if (outcome === 'succeeded') return { attempt, status: 'succeeded', retry_in: null };
  if (retry_in === null) return { attempt, status: 'failed', retry_in: null };
  return active.has(attempt.delivery.webhook_id)
    ? { attempt, status: 'pending', retry_in }
    : { attempt, status: 'suppressed', retry_in: null };
}

const WRITE_ATTEMPTS = `
  INSERT INTO outbound_attempts (delivery_position, attempt, outcome, started_at, duration_ms, response_status,
    response_body, response_truncated, error, detail, retry_at)
  SELECT r.position, r.attempt, r.outcome, r.started_at, r.duration_ms, r.response_status, r.response_body,
    r.response_truncated, r.error, r.detail, clock_timestamp() + make_interval(secs => r.retry_in)
  FROM json_to_recordset($1) AS r (position bigint, attempt int, outcome text, started_at timestamptz, duration_ms int,
    response_status int, response_body text, response_truncated boolean, error text, detail text, retry_in float8)
  WHERE EXISTS (SELECT FROM outbound_deliveries d WHERE d.position = r.position)
  ON CONFLICT (delivery_position, attempt) DO UPDATE SET outcome = excluded.outcome, started_at = excluded.started_at,
    duration_ms = excluded.duration_ms, response_status = excluded.response_status,
    response_body = excluded.response_body, response_truncated = excluded.response_truncated, error = excluded.error,
    detail = excluded.detail`;

/** All of them, also those that came too late to count: they were made. */
export async function writeAttempts(
  manager: EntityManager,
  attempts: Attempt[],
  outcomes: Outcome[],
): Promise<void> {
  const retries = new Map(outcomes.map(({ attempt, retry_in }) => [attempt, retry_in]));
  await manager.query(WRITE_ATTEMPTS, [
    toJson(
      attempts.map((attempt) => ({
        position: attempt.delivery.position,
        attempt: attempt.delivery.attempts,
        outcome: attempt.verdict.outcome,
        started_at: attempt.started_at,
        duration_ms: attempt.duration_ms,
        response_status: attempt.answer?.status ?? null,
        response_body: attempt.answer?.body ?? null,
        response_truncated: attempt.answer?.truncated ?? false,
        error: attempt.verdict.error,
        detail: attempt.verdict.detail,
        retry_in: retries.get(attempt) ?? null,
      })),
    ),
  ]);
}

/** Lets the next delivery of a task go, where one before it has ended or waits long. */
export async function promoteQueued(manager: EntityManager, outcomes: Outcome[]): Promise<void> {
  const freed = outcomes
    .filter(({ status, retry_in }) => status !== 'pending' || (retry_in ?? 0) > PARKED_SECONDS)
    .map(({ attempt: { delivery } }) => ({ webhook_id: delivery.webhook_id, task_id: delivery.task_id }));
  if (freed.length > 0)
    await manager.query(
      `UPDATE outbound_deliveries d SET status = 'pending', due_at = clock_timestamp()
       FROM (
         SELECT (SELECT min(q.position) FROM outbound_deliveries q
                 WHERE q.webhook_id = f.webhook_id AND q.task_id = f.task_id AND q.finished_at IS NULL
                   AND q.status = 'queued') AS position
         FROM json_to_recordset($1) AS f (webhook_id uuid, task_id bigint)
       ) next
       WHERE d.position = next.position`,
      [JSON.stringify(freed)],
    );
}

/** Rows that a claim writes too are left out: tokens, and when it was claimed. */
export async function writeStates(manager: EntityManager, states: OutboundWebhookState[]): Promise<void> {
  await manager.query(
    `UPDATE outbound_webhook_states s SET window_started_at = n.window_started_at, window_requests = n.window_requests,
       window_failures = n.window_failures, connection_errors = n.connection_errors, times_opened = n.times_opened,
       open_until = n.open_until, failing_since = n.failing_since, warned_percent = n.warned_percent,
       last_success_at = n.last_success_at, last_failure_at = n.last_failure_at, last_error = n.last_error
     FROM json_populate_recordset(NULL::outbound_webhook_states, $1) n WHERE n.webhook_id = s.webhook_id`,
    [JSON.stringify(states)],
  );
}
