import { type EntityManager } from 'typeorm';
import { DomainError, validationFailed } from '../../../errors/domain-error.js';
import { Agent } from '../../agents/agent.entity.js';
import { type Identity } from '../../auth/identity.js';
import { isFinished, isWorkInHand } from '../task-states.js';
import { Task } from '../task.entity.js';
import { oneWaitingFor, withAncestors, withDescendants } from './task-tree.js';

/** Levels above a task. */
export const MAX_ANCESTORS = 5;

/**
 * The task that is to be a parent. The caller has taken `lockToLink` on it.
 * @throws DomainError `validation_failed` for one that is not in the team, and as `assertTakesSubtasks`.
 */
export async function takeParent(
  manager: EntityManager,
  identity: Identity,
  team_id: string,
  parent_id: number,
): Promise<Task> {
  const parent = await manager.findOneBy(Task, { id: parent_id, team_id });
  if (parent === null)
    throw validationFailed([{ field: 'parent_id', message: 'parent_id must be a task of the team' }]);
  await assertMayDivide(manager, identity, parent);
  assertTakesSubtasks(parent);
  return parent;
}

/** @throws DomainError `task_takes_no_subtasks` */
export function assertTakesSubtasks(parent: Task): void {
  if (!isWorkInHand(parent.status))
    throw new DomainError(
      'task_takes_no_subtasks',
      `Task ${parent.id} is '${parent.status}': only a task in 'todo' or 'in_progress' takes sub-tasks`,
    );
}

/**
 * An agent's key divides what its agent works on, or as a manager any task of its team; and nothing that waits for a
 * person, since its sub-tasks would not.
 * @throws DomainError `forbidden`
 */
export async function assertMayDivide(
  manager: EntityManager,
  { agent_id }: Identity,
  parent: Task,
): Promise<void> {
  if (agent_id === undefined) return;
  const isManager = { id: agent_id, team_id: parent.team_id, role: 'manager' } as const;
  if (parent.assignee_id !== agent_id && !(await manager.existsBy(Agent, isManager)))
    throw new DomainError(
      'forbidden',
      "An agent's key gives sub-tasks to its own agent's tasks only, unless the agent is a manager",
    );
  if (parent.status === 'todo' && parent.hold_reason !== null)
    throw new DomainError('forbidden', `Task ${parent.id} waits for a person: ${parent.hold_reason}`);
}

/**
 * That something of `height` levels may stand below the parent.
 * @throws DomainError `parent_too_deep`
 */
export function assertDepth(withAncestors: number[], height: number): void {
  if (withAncestors.length + height > MAX_ANCESTORS)
    throw new DomainError('parent_too_deep', `A task has at most ${MAX_ANCESTORS} tasks above it`);
}

/**
 * Makes a task a part of another one; the caller saves it.
 * @throws DomainError `task_finished`, `parent_cycle`, `parent_too_deep`, and as `takeParent`.
 */
export async function changeParent(
  manager: EntityManager,
  identity: Identity,
  task: Task,
  parent_id: number,
): Promise<void> {
  assertMovable(task);
  const parent = await takeParent(manager, identity, task.team_id, parent_id);
  const above = await withAncestors(manager, parent.id);
  const below = await withDescendants(manager, task.id);
  if (above.includes(task.id))
    throw new DomainError('parent_cycle', `Task ${parent.id} is task ${task.id} itself, or a part of it`);
  assertDepth(above, Math.max(...below.map(({ level }) => level)));
  if ((await oneWaitingFor(manager, parent.id, [task.id])) !== null)
    throw new DomainError('parent_cycle', `Task ${task.id} waits for task ${parent.id}, directly or not`);
  const tied = await dependencyBetween(
    manager,
    above,
    below.map(({ id }) => id),
  );
  if (tied !== null)
    throw new DomainError('parent_cycle', `Task ${tied} depends on what would become a part of it`);
  task.parent_id = parent.id;
  await touchParent(manager, parent);
}

/**
 * Sub-tasks have no column of their own in their parent: its version says that it changed, also to a claim that looked
 * at it before.
 */
export async function touchParent(manager: EntityManager, parent: Task): Promise<void> {
  parent.updated_at = new Date();
  await manager.save(parent);
}

/** @throws DomainError `task_finished`: what was done or cancelled stays where it was counted. */
export function assertMovable(task: Task): void {
  if (isFinished(task.status))
    throw new DomainError('task_finished', `Task ${task.id} is '${task.status}': its parent stays as it is`);
}

/** The task of `above` that depends on one of `below`. */
async function dependencyBetween(
  manager: EntityManager,
  above: number[],
  below: number[],
): Promise<number | null> {
  const [row] = await manager.query<{ task_id: number }[]>(
    'SELECT task_id FROM task_dependencies WHERE task_id = ANY($1) AND depends_on_id = ANY($2) LIMIT 1',
    [above, below],
  );
  return row?.task_id ?? null;
}
