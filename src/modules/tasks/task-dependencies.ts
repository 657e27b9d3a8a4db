import { type EntityManager } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { oneWaitingFor, withAncestors, withDescendants } from './subtasks/task-tree.js';
import { type OnCancel, type Task } from './task.entity.js';

/**
 * Every dependency must be a task of the same team, and one whose cancelling cancels the dependent must not be
 * cancelled already.
 * @throws DomainError `dependencies_not_found` or `dependency_invalid`.
 */
export async function assertDependable(
  manager: EntityManager,
  team: { id: string; org_id: string },
  ids: number[],
  on_cancel: OnCancel = 'block',
): Promise<void> {
  if (ids.length === 0) return;
  const rows = await manager.query<Pick<Task, 'id' | 'team_id' | 'status' | 'completed_at'>[]>(
    'SELECT id, team_id, status, completed_at FROM tasks WHERE id = ANY($1) AND org_id = $2',
    [ids, team.org_id],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0)
    throw new DomainError('dependencies_not_found', `Dependency tasks not found: {${missing.join(', ')}}`);
  const foreign = rows.find(({ team_id }) => team_id !== team.id);
  if (foreign !== undefined)
    throw new DomainError('dependency_invalid', `Task ${foreign.id} belongs to another team`);
  const cancelled = rows.find(
    ({ status, completed_at }) => status === 'cancelled' || (status === 'archived' && completed_at === null),
  );
  if (on_cancel === 'cancel' && cancelled !== undefined)
    throw new DomainError(
      'dependency_invalid',
      `Task ${cancelled.id} is cancelled already: with on_cancel 'cancel' nothing could depend on it`,
    );
}

/** Writes the dependencies of new tasks, which nothing can depend on yet. */
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
 * That a new sub-task of the parent may depend on the tasks.
 * @throws DomainError `dependency_invalid`, `dependency_cycle`.
 */
export async function assertDependableBelow(
  manager: EntityManager,
  parent_id: number,
  ids: number[],
): Promise<void> {
  if (ids.length === 0) return;
  assertNotAbove(await withAncestors(manager, parent_id), ids);
  await assertNoCircle(manager, parent_id, ids);
}

/**
 * Replaces the dependencies of a task; `on_cancel` is the task's from here on. The caller has taken `lockToLink`, since
 * two edits that are right each for themselves may close a circle together.
 * @throws DomainError `dependencies_fixed`, `dependency_invalid`, `dependency_cycle`, `dependencies_not_found`.
 */
export async function replaceDependencies(
  manager: EntityManager,
  task: Task,
  depends_on: number[],
  on_cancel: OnCancel,
): Promise<void> {
  if (task.status !== 'todo')
    throw new DomainError(
      'dependencies_fixed',
      `Task ${task.id} is '${task.status}': dependencies change only before work starts, in 'todo'`,
    );
  if (depends_on.includes(task.id))
    throw new DomainError('dependency_invalid', 'A task cannot depend on itself');
  await assertDependable(manager, { id: task.team_id, org_id: task.org_id }, depends_on, on_cancel);
  assertNotAbove(await withAncestors(manager, task.id), depends_on);
  const below = new Set((await withDescendants(manager, task.id)).map(({ id }) => id));
  const part = depends_on.find((id) => below.has(id));
  if (part !== undefined)
    throw new DomainError(
      'dependency_invalid',
      `Task ${part} is a part of task ${task.id}, which waits for its parts anyway`,
    );
  await assertNoCircle(manager, task.id, depends_on);
  await manager.query('DELETE FROM task_dependencies WHERE task_id = $1', [task.id]);
  await insertDependencies(manager, [{ task_id: task.id, depends_on }]);
  task.on_cancel = on_cancel;
}

function assertNotAbove(above: number[], ids: number[]): void {
  const one = ids.find((id) => above.includes(id));
  if (one !== undefined)
    throw new DomainError(
      'dependency_invalid',
      `Task ${one} is above this one, and closes only after its parts`,
    );
}

async function assertNoCircle(manager: EntityManager, task_id: number, ids: number[]): Promise<void> {
  const waiting = await oneWaitingFor(manager, task_id, ids);
  if (waiting !== null)
    throw new DomainError('dependency_cycle', `Task ${waiting} waits for task ${task_id} already`);
}
