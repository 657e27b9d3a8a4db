import { randomUUID } from 'node:crypto';
import { until } from './rounds.mjs';

const INSERT = `
  INSERT INTO tasks (org_id, team_id, title, description, auto_assign, auto_assign_role, branch, correlation_id)
  SELECT $1, $2, 'Task ' || n, 'What there is to do.', true, 'engineer', 'task-' || n, $3
  FROM generate_series(1, $4::int) n RETURNING id`;

/** By their ids: reading all tasks of the past every few milliseconds would be what is measured. */
const LEFT = `
  SELECT count(*)::int AS left FROM tasks
  WHERE id BETWEEN $1 AND $2 AND correlation_id = $3 AND status IN ('todo', 'in_progress')`;

/** Ended by the clock that the tasks came by: the database's. */
const TOOK = `
  SELECT extract(epoch FROM max(r.finished_at) - $2::timestamptz)::float8 AS seconds,
    count(*) FILTER (WHERE r.status <> 'succeeded')::int AS failed
  FROM agent_runs r JOIN tasks t ON t.id = r.task_id WHERE t.correlation_id = $1`;

/**
 * Lets tasks come to teams all at once, in one commit, and waits until agents have finished every one.
 * @returns the seconds from that commit to the end of the last run.
 */
export async function workOff(db, teams, tasks) {
  const correlation_id = randomUUID();
  await db.query('BEGIN');
  const ids = [];
  for (const { org_id, team_id } of teams) {
    const made = await db.query(INSERT, [org_id, team_id, correlation_id, Math.ceil(tasks / teams.length)]);
    for (const { id } of made.rows) ids.push(Number(id));
  }
  const waiting = [ids[0], ids.at(-1), correlation_id];
  // As autovacuum would have it a minute later: without numbers every plan is a guess.
  await db.query('ANALYZE tasks');
  const { rows } = await db.query(
    `SELECT clock_timestamp()::text AS at, pg_notify('entourage_tasks', '{"teams":"*"}')`,
  );
  await db.query('COMMIT');
  await until(async () => (await db.query(LEFT, waiting)).rows[0].left === 0, 'the tasks to be done', {
    every_ms: 50,
    within_s: 1800,
  });
  const [{ seconds, failed }] = (await db.query(TOOK, [correlation_id, rows[0].at])).rows;
  if (failed > 0) console.error(`  ${failed} runs failed`);
  return { seconds, per_second: ids.length / seconds };
}
