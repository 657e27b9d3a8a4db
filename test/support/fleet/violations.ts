import { type ReceivedRequest } from '../receiver.js';
import { until } from '../until.js';
import { type Work } from './http-agents.js';
import { type Query } from './query.js';
import { type Acknowledged } from './send-issues.js';
import { type Workplace } from './workplace.js';

/** Each query finds what must not be. */
const WRONG_ROWS: Record<string, string> = {
  'a task without exactly one issue': `
    SELECT t.id, count(s.task_id)::int FROM tasks t LEFT JOIN task_sources s ON s.task_id = t.id
    GROUP BY t.id HAVING count(s.task_id) <> 1`,
  'an issue with several tasks': `
    SELECT repository, number, array_agg(task_id) FROM task_sources GROUP BY 1, 2 HAVING count(*) > 1`,
  'a task that is not done': `SELECT id, status, hold_reason, last_error FROM tasks WHERE status <> 'done'`,
  'two runs of a task or an agent at a time': `
    SELECT a.id, b.id AS other FROM agent_runs a JOIN agent_runs b
      ON a.id < b.id AND (a.task_id = b.task_id OR a.agent_id = b.agent_id)
      AND tstzrange(a.started_at, a.finished_at) && tstzrange(b.started_at, b.finished_at)`,
  'a task without exactly one run that succeeded': `
    SELECT t.id, count(r.id)::int FROM tasks t LEFT JOIN agent_runs r ON r.task_id = t.id AND r.status = 'succeeded'
    GROUP BY t.id HAVING count(r.id) <> 1`,
  'a run that has not ended': `SELECT id, status, lease_expires_at FROM agent_runs WHERE finished_at IS NULL`,
  'an agent that is not idle': `SELECT id, status FROM agents WHERE status <> 'idle'`,
  'a session that has not ended': `SELECT id FROM agent_sessions WHERE ended_at IS NULL`,
  'a notification that is left': `
    SELECT position, status, attempts, error FROM outbound_deliveries WHERE status <> 'succeeded'`,
  'a delivery that is not processed': `SELECT id, status, error FROM deliveries WHERE status <> 'processed'`,
};

const wrongRows = async (query: Query): Promise<string[]> => {
  const found: string[] = [];
  for (const [what, sql] of Object.entries(WRONG_ROWS))
    for (const row of await query(sql)) found.push(`${what}: ${JSON.stringify(row)}`);
  return found;
};

/** Waits until everything has come to its end. @returns what has not. */
export async function leftOver(query: Query, patience_ms: number): Promise<string[]> {
  let wrong: string[] = [];
  const settled = async (): Promise<boolean> => (wrong = await wrongRows(query)).length === 0;
  await until(settled, 'everything to come to its end', patience_ms).catch(() => undefined);
  return wrong;
}

/**
 * What is wrong once everything has come to its end: an empty list says that what was acknowledged is there, was done
 * once, and was told of.
 */
export async function violations(
  query: Query,
  { receiver, work }: Workplace,
  acknowledged: Acknowledged[],
  issues: number,
): Promise<string[]> {
  const tasks = new Set(acknowledged.map(({ task_id }) => task_id));
  const rows = await query<{ id: number }>('SELECT id::int FROM tasks');
  return [
    ...(tasks.size === issues && rows.length === issues
      ? []
      : [`${issues} issues, ${tasks.size} tasks in the answers, ${rows.length} in the database`]),
    ...(await lostDeliveries(query, acknowledged)),
    ...wrongNotifications(receiver.received, [...tasks]),
    ...overlappingWork(work),
  ];
}

/** What was acknowledged and is not there, or not once. */
async function lostDeliveries(query: Query, acknowledged: Acknowledged[]): Promise<string[]> {
  const rows = await query<{ guid: string; id: string; task_id: number | null; number: number | null }>(
    `SELECT d.guid, d.id, s.task_id::int, s.number FROM deliveries d
     LEFT JOIN task_sources s ON s.task_id = d.task_id`,
  );
  return acknowledged.flatMap(({ guid, number, delivery_id, task_id }) => {
    const of = rows.filter((row) => row.guid === guid);
    const [row] = of;
    const right =
      of.length === 1 && row?.id === delivery_id && row.task_id === task_id && row.number === number;
    return right ? [] : [`delivery ${guid} of issue ${number} (task ${task_id}): ${JSON.stringify(of)}`];
  });
}

/** Times in which two runs of a task, or of an agent, were both sure to be the current one. */
const overlappingWork = (work: Work[]): string[] =>
  work.flatMap((one, index) =>
    work
      .slice(index + 1)
      .filter(
        (other) =>
          (one.task_id === other.task_id || one.agent_id === other.agent_id) &&
          one.from < other.to &&
          other.from < one.to,
      )
      .map((other) => `${JSON.stringify(one)} overlaps ${JSON.stringify(other)}`),
  );

/** What the receiver was not told, or told out of order; the same notification may come again. */
function wrongNotifications(received: ReceivedRequest[], tasks: number[]): string[] {
  return tasks.flatMap((task_id) => {
    const of = received.filter(({ json }) => json.task_id === task_id);
    const firsts = [...new Set(of.map(({ json }) => json.sequence as number))];
    const inOrder = firsts.every((sequence, index) => sequence === index + 1);
    const last = of.at(-1)?.json.event;
    return inOrder && last === 'task.completed'
      ? []
      : [`task ${task_id}: ${of.map(({ json }) => `${json.sequence} ${json.event}`).join(', ')}`];
  });
}
