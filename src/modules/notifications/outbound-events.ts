import { type FieldError } from '../../errors/domain-error.js';

/**
 * What outside systems can be told. All but the last come from the audit trail, by the function `outbound_events` in the
 * database.
 */
export const OUTBOUND_EVENTS = [
  'task.created',
  'task.assigned',
  'task.status_changed',
  'task.completed',
  'task.cancelled',
  'run.started',
  'run.finished',
  'review.requested',
  'review.verdict',
  'webhook.delivery_failed',
] as const;

/** What `POST …/test` sends; nobody subscribes to it. */
export const TEST_EVENT = 'webhook.test';

/** Without repeats. Faults name the entry: a typo would make a webhook that is never called. */
export function normaliseOutboundEvents(given: string[]): { events: string[]; faults: FieldError[] } {
  const known: readonly string[] = [...OUTBOUND_EVENTS, '*'];
  const names = given.map((name) => name.trim());
  const faults = names.flatMap((name, index) =>
    known.includes(name) ? [] : [{ field: `events.${index}`, message: `must be one of ${known.join(', ')}` }],
  );
  return { events: [...new Set(names)], faults };
}
