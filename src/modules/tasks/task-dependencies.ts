import { type EntityManager } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { type Task } from './task.entity.js';

/**
 * Every dependency must be a task of the same team.
 * @throws DomainError `dependencies_not_found` or `dependency_invalid`.
 */
export async function assertDependable(
  manager: EntityManager,
  team: { id: string; org_id: string },
  ids: number[],
): Promise<void> {
  if (ids.length === 0) return;
  const rows = await manager.query<Pick<Task, 'id' | 'team_id'>[]>(
    'SELECT id, team_id FROM tasks WHERE id = ANY($1) AND org_id = $2',
    [ids, team.org_id],
  );
  const found = new Map(rows.map((row) => [row.id, row.team_id]));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0)
    throw new DomainError('dependencies_not_found', `Dependency tasks not found: {${missing.join(', ')}}`);
  const foreign = ids.find((id) => found.get(id) !== team.id);
  if (foreign !== undefined)
    throw new DomainError('dependency_invalid', `Task ${foreign} belongs to another team`);
}

/** Writes the dependencies of new tasks, which nothing can depend on yet: no cycle is possible. */
export async function insertDependencies(
  manager: EntityManager,
  dependencies: { task_id: number; depends_on: number[] }[],
): Promise<void> {
  const rows = dependencies.flatMap(({ task_id, depends_on }) =>
    depends_on.map((depends_on_id, position) => ({ task_id, depends_on_id, position })),
  );
  if (rows.length > 0)
    await manager.query(
      `INSERT INTO task_dependencies (task_id, depends_on_id, position)
       SELECT * FROM json_to_recordset($1) AS d (task_id bigint, depends_on_id bigint, position int)`,
      [JSON.stringify(rows)],
    );
}

/**
 * Replaces the dependencies of a task. One edit at a time per team, since two edits that are right each for themselves
 * may close a circle together.
 * @throws DomainError `dependency_invalid`, `dependency_cycle`, `dependencies_not_found`.
 */
export async function replaceDependencies(
  manager: EntityManager,
  task: Task,
  depends_on: number[],
): Promise<void> {
  if (depends_on.includes(task.id))
    throw new DomainError('dependency_invalid', 'A task cannot depend on itself');
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `task dependencies ${task.team_id}`,
  ]);
  await assertDependable(manager, { id: task.team_id, org_id: task.org_id }, depends_on);
  const [cycle] = await manager.query<{ id: number }[]>(
    `WITH RECURSIVE reached (id, start) AS (
       SELECT s.id, s.id FROM unnest($2::bigint[]) AS s (id)
       UNION
       SELECT d.depends_on_id, r.start FROM reached r JOIN task_dependencies d ON d.task_id = r.id
     )
     SELECT start AS id FROM reached WHERE id = $1 LIMIT 1`,
    [task.id, depends_on],
  );
  if (cycle !== undefined)
    throw new DomainError('dependency_cycle', `Task ${cycle.id} depends on task ${task.id} already`);
  await manager.query('DELETE FROM task_dependencies WHERE task_id = $1', [task.id]);
  await insertDependencies(manager, [{ task_id: task.id, depends_on }]);
}
