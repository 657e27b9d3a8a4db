import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { Task } from './task.entity.js';

/*
 * Locks are taken in the order source, links of the team, tasks by id, run, agent. Whoever moves a task shares the lock
 * on its team's links, so that the set of tasks that move with it cannot change while their rows are locked; whoever
 * changes a link has that lock alone. docs/adr/0010 says why this cannot deadlock.
 */

const key = (team_id: string): string => `hashtextextended('task links ' || ${team_id}, 0)`;

/** SQL that shares the lock on the links of one team, for a statement that finds out which it is. */
export const shareLinks = (team_id: string): string => `pg_advisory_xact_lock_shared(${key(team_id)})`;

const KEYS = (teams: string): string =>
  `(SELECT DISTINCT ${key('team_id')} AS key FROM (${teams}) teams ORDER BY key) keys`;

const SHARE_LINKS: PreparedStatement = {
  name: 'share-links',
  text: `SELECT pg_advisory_xact_lock_shared(key)
  FROM ${KEYS('SELECT team_id FROM tasks WHERE id = ANY($1) UNION SELECT unnest($2::uuid[])')}`,
};

const OWN_LINKS = `SELECT pg_advisory_xact_lock(key) FROM ${KEYS('SELECT $1::uuid AS team_id')}`;

/**
 * What can move with a task: what is above it, since a parent closes with its last sub-task; and if it is cancelled,
 * what is below it and what depends on it with `on_cancel: cancel`, each with the same again. They are looked up one by
 * one, as an array: of a join PostgreSQL would believe that it has many rows, and read all tasks.
 */
const LOCK_WITH_KIN: PreparedStatement = {
  name: 'lock-with-kin',
  text: `
  WITH RECURSIVE kin (id, cancels) AS (
    SELECT id, $2::boolean FROM unnest($1::bigint[]) given (id)
    UNION
    SELECT next.id, next.cancels FROM kin CROSS JOIN LATERAL (
      SELECT parent_id AS id, false AS cancels FROM tasks WHERE id = kin.id AND parent_id IS NOT NULL
      UNION ALL
      SELECT id, true FROM tasks WHERE kin.cancels AND parent_id = kin.id
      UNION ALL
      SELECT t.id, true FROM task_dependencies d JOIN tasks t ON t.id = d.task_id
      WHERE kin.cancels AND d.depends_on_id = kin.id AND t.on_cancel = 'cancel'
    ) next
  )
  SELECT id FROM tasks WHERE id = ANY(ARRAY(SELECT id FROM kin)) ORDER BY id FOR NO KEY UPDATE`,
};

/** For one task: nearly every move, so with a plan of its own that is made once. */
const lockWithParents = (columns: string[]): PreparedStatement => ({
  name: 'lock-with-parents',
  text: `
  WITH RECURSIVE line (id) AS (
    SELECT $1::bigint
    UNION
    SELECT (SELECT t.parent_id FROM tasks t WHERE t.id = line.id) FROM line WHERE line.id IS NOT NULL
  )
  SELECT ${columns.join(', ')} FROM tasks WHERE id = ANY(ARRAY(SELECT id FROM line)) ORDER BY id FOR NO KEY UPDATE`,
});

/**
 * Locks a task that is not to be cancelled, and what is above it. The lock on the links of its team is the caller's.
 * @returns the task as it is under the lock; null when it is gone.
 */
export async function lockTaskToMove(manager: EntityManager, task_id: number): Promise<Task | null> {
  const columns = manager.dataSource.getMetadata(Task).columns.map(({ databaseName }) => databaseName);
  const rows = await preparedBy<Task>(manager, lockWithParents(columns), [task_id]);
  const row = rows.find(({ id }) => id === task_id);
  return row === undefined ? null : manager.create(Task, row);
}

/**
 * Before tasks change their status: locks them and all that may move with them. Asked for again in the same
 * transaction, it waits for nobody.
 * @param cancels whether one of them may be cancelled.
 * @param team_ids of tasks that the transaction may make and move.
 */
export async function lockToMove(
  manager: EntityManager,
  task_ids: number[],
  cancels: boolean,
  team_ids: string[] = [],
): Promise<void> {
  await preparedBy(manager, SHARE_LINKS, [task_ids, team_ids]);
  await preparedBy(manager, LOCK_WITH_KIN, [task_ids, cancels]);
}

/**
 * Before a parent or a dependency changes in a team: nobody else moves or links its tasks meanwhile. Ids of tasks of
 * another team are passed over.
 */
export async function lockToLink(
  manager: EntityManager,
  team_id: string,
  task_ids: number[] = [],
): Promise<void> {
  await manager.query(OWN_LINKS, [team_id]);
  if (task_ids.length === 0) return;
  const own = await manager.query<{ id: number }[]>(
    'SELECT id FROM tasks WHERE id = ANY($1) AND team_id = $2',
    [task_ids, team_id],
  );
  await preparedBy(manager, LOCK_WITH_KIN, [own.map(({ id }) => id), false]);
}
