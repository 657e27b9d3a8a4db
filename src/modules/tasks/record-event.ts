import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { requestContext } from '../../http/request-context.js';
import { type Actor } from '../auth/identity.js';
import { type TaskEventMetadata } from './task-event.entity.js';
import { storable } from './text.js';

/** One line of a task's audit trail. `data` never holds GitHub's text: the trail cannot be redacted. */
export interface NewTaskEvent {
  org_id: string;
  task_id: number;
  type: string;
  data?: Record<string, unknown>;
  actor: Actor;
  correlation_id: string;
  delivery_id?: string;
  run_id?: string;
  claimed?: Record<string, string>;
}

const INSERT: PreparedStatement = {
  name: 'insert-task-events',
  text: `
  INSERT INTO task_events (org_id, task_id, type, data, metadata)
  SELECT e.org_id, e.task_id, e.type, e.data, e.metadata
  FROM ROWS FROM (json_to_recordset($1)
    AS (org_id uuid, task_id bigint, type text, data jsonb, metadata jsonb)) WITH ORDINALITY e
  ORDER BY e.ordinality`,
};

/** Writes events in their order, in the manager's transaction: the one of the change that they record. */
export async function recordEvents(manager: EntityManager, events: NewTaskEvent[]): Promise<void> {
  if (events.length > 0) await preparedBy(manager, INSERT, [toJson(events.map(eventRow))]);
}

export const recordEvent = (manager: EntityManager, event: NewTaskEvent): Promise<void> =>
  recordEvents(manager, [event]);

export const eventRow = (event: NewTaskEvent): object => ({
  org_id: event.org_id,
  task_id: event.task_id,
  type: event.type,
  data: event.data ?? {},
  metadata: eventMetadata(event),
});

export function eventMetadata(
  event: Pick<NewTaskEvent, 'actor' | 'correlation_id' | 'delivery_id' | 'run_id' | 'claimed'>,
): TaskEventMetadata {
  const request_id = requestContext()?.request_id;
  return {
    actor: event.actor,
    correlation_id: event.correlation_id,
    // Deliveries of many requests share one transaction, which belongs to none of them.
    ...(request_id !== undefined && event.delivery_id === undefined ? { request_id } : {}),
    ...(event.delivery_id === undefined ? {} : { delivery_id: event.delivery_id }),
    ...(event.run_id === undefined ? {} : { run_id: event.run_id }),
    ...(event.claimed === undefined ? {} : { claimed: event.claimed }),
  };
}

/** JSON that PostgreSQL accepts as jsonb, whatever text it holds. */
export function toJson(value: unknown): string {
  const json = JSON.stringify(value);
  // Nearly always there is nothing to mend, and looking at each string on its own costs many times as much.
  return UNSTORABLE.test(json)
    ? JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? storable(part) : part))
    : json;
}

/** How JSON writes NUL and half of a surrogate pair; an escaped backslash before it only costs the second look. */
const UNSTORABLE = /\\u(0000|d[89a-f])/;
