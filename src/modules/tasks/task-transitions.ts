import { Injectable } from '@nestjs/common';
import { type EntityManager, type QueryRunner } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { markTeamsChanged } from '../../database/notify-on-commit.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Actor } from '../auth/identity.js';
import { recordEvent } from './record-event.js';
import { hasOpenSubtasks, unmetDependencies } from './readiness.js';
import { type AfterWork, type BusyCheck, type Cause, Kin } from './subtasks/kin.js';
import { lockToMove } from './task-locks.js';
import {
  canTransition,
  endsWithNewAttempt,
  isAwaitingAcceptance,
  needsPerson,
  TRANSITIONS,
  waitsForSubtasks,
} from './task-states.js';
import { Task, type TaskStatus } from './task.entity.js';

export interface TransitionRequest {
  task_id: number;
  to: TaskStatus;
  actor: Actor;
  reason?: string;
  run_id?: string;
  /** Set when the move is the end of `run_id`: nobody works on the task any more. */
  ends_run?: true;
  delivery_id?: string;
  /** The task whose end is why this one moves. */
  because_of?: number;
  /** Ids that the caller claimed in the body. */
  claimed?: Record<string, string>;
  /** What else the event says. */
  data?: Record<string, unknown>;
  /** Further columns that change with the status. */
  patch?: Partial<
    Pick<Task, 'assignee_id' | 'hold_reason' | 'last_error' | 'failed_runs' | 'dispatch_after'>
  >;
}

/** What a listener is told of a change of status; `task` is the row after it. */
export interface TaskTransition {
  task: Task;
  from: TaskStatus;
  to: TaskStatus;
  actor: Actor;
  reason?: string;
  /** The run that made the change, if one did. */
  run_id?: string;
  ends_run?: true;
}

/** A change that is about to happen: `task` is the row before it, locked. */
export type TransitionAttempt = Pick<TaskTransition, 'task' | 'from' | 'to' | 'actor'>;

/** Refuses a change by a DomainError, or gives what the change's event says besides. */
export type TransitionGuard = (
  manager: EntityManager,
  attempt: TransitionAttempt,
) => Promise<Record<string, unknown>>;

export type TransitionListener = (manager: EntityManager, transition: TaskTransition) => Promise<void>;

/**
 * The one way a task's status changes, but for claiming it. Locks: see task-locks.ts. Whoever locks a task before it
 * asks for a transition of it takes `lockToMove` first.
 */
@Injectable()
export class TaskTransitions {
  private readonly listeners: TransitionListener[] = [];
  private readonly kin = new Kin((manager, task, request) =>
    this.move(manager, task, request, 'task.status_changed'),
  );
  private readonly guards: TransitionGuard[] = [];

  /** Asks `guard` before every later change along the table, whoever makes it. */
  onAttempt(guard: TransitionGuard): void {
    this.guards.push(guard);
  }

  /** Runs `listener` inside the transaction of every later change; when it fails, the change does not happen. */
  onTransition(listener: TransitionListener): void {
    this.listeners.push(listener);
  }

  /** A parent that somebody works on does not close before that work ends. */
  closeNoneThatIs(busy: BusyCheck): void {
    this.kin.isBusy = busy;
  }

  /**
   * Moves a task along the table of states, with its event and everything that hangs on it, in the manager's
   * transaction (or one of its own).
   * @throws DomainError `task_not_found`, `invalid_transition`, `blocked_by_dependencies`, `subtasks_open`, or `forbidden`
   * for a step that an agent must leave to review and merge.
   */
  transition(manager: EntityManager, request: TransitionRequest): Promise<Task> {
    return inTransaction(manager, async (manager) => {
      await lockToMove(manager, [request.task_id], request.to === 'cancelled');
      return this.transitionLocked(manager, await lockTask(manager, request.task_id), request);
    });
  }

  /**
   * The same for a caller that has taken `lockToMove`, and read the task since.
   * @param is_whole the caller has seen under the lock that it has no open sub-tasks.
   */
  async transitionLocked(
    manager: EntityManager,
    task: Task,
    request: Omit<TransitionRequest, 'task_id'>,
    is_whole = false,
  ): Promise<Task> {
    const { actor, to } = request;
    if (!canTransition(task.status, to)) throw invalidTransition(task.status, to);
    if (actor.type === 'agent' && needsPerson(task.status, to))
      throw new DomainError(
        'forbidden',
        `An agent cannot move a task from '${task.status}' to '${to}': review and merge do`,
      );
    if (to === 'in_progress') await assertDependenciesDone(manager, task.id);
    if (!is_whole && waitsForSubtasks(to) && (await hasOpenSubtasks(manager, task.id)))
      throw new DomainError(
        'subtasks_open',
        `Task ${task.id} has open sub-tasks: it cannot go to '${to}' before they are done or cancelled`,
      );
    const data = { ...request.data };
    for (const guard of this.guards)
      Object.assign(data, await guard(manager, { task, from: task.status, to, actor }));
    return this.move(manager, task, { ...request, data }, 'task.status_changed');
  }

  /**
   * Puts a task whose work was not accepted back to `todo`, to be given to its assignee again as a new attempt. Not in
   * the table of states: review and merge do it, no caller of the API. A hold that trust or a draft put on it stays.
   * @returns null when the task is not in review, approval or merge.
   */
  sendBack(manager: EntityManager, request: Omit<TransitionRequest, 'to'>): Promise<Task | null> {
    return inTransaction(manager, async (manager) => {
      await lockToMove(manager, [request.task_id], false);
      const task = await lockTask(manager, request.task_id);
      if (!isAwaitingAcceptance(task.status)) return null;
      const patch = { ...newAttempt(task), ...request.patch };
      return this.move(manager, task, { ...request, to: 'todo', patch }, 'task.status_changed');
    });
  }

  /**
   * Puts a finished task back to `todo` because its issue or pull request was opened again: a new attempt of the same
   * task. Not in the table of states, since no caller of the API may do it. A hold that trust or a draft put on it
   * stays.
   * @returns null when the task is not finished.
   */
  reopen(manager: EntityManager, request: Omit<TransitionRequest, 'to' | 'patch'>): Promise<Task | null> {
    return inTransaction(manager, async (manager) => {
      const task = await lockTask(manager, request.task_id);
      if (task.status !== 'cancelled' && task.status !== 'done' && task.status !== 'archived') return null;
      return this.move(manager, task, { ...request, to: 'todo', patch: newAttempt(task) }, 'task.reopened');
    });
  }

  /**
   * At the end of work that began at `began`: closes the task if its sub-tasks were done meanwhile. The caller has taken
   * `lockToMove`, and read the task since.
   * @returns how it stands with them; null when it is not in hand any more.
   */
  closeAfterWork(
    manager: EntityManager,
    task: Task,
    work: { began: Date } & Cause,
  ): Promise<AfterWork | null> {
    return this.kin.closeAfterWork(manager, task, work);
  }

  /** After a sub-task was taken away from its parent. The caller has taken `lockToLink` on both. */
  settleParent(manager: EntityManager, parent_id: number): Promise<void> {
    return this.kin.settle(manager, parent_id);
  }

  private async move(
    manager: EntityManager,
    task: Task,
    request: Omit<TransitionRequest, 'task_id'>,
    type: 'task.status_changed' | 'task.reopened',
  ): Promise<Task> {
    const { to, actor, reason, run_id, ends_run, because_of, delivery_id } = request;
    const from = task.status;
    Object.assign(task, request.patch, { status: to });
    if (to === 'done') task.completed_at = new Date();
    else if (to !== 'archived') task.completed_at = null;
    await write(manager, task);
    await recordEvent(manager, {
      ...request,
      org_id: task.org_id,
      task_id: task.id,
      type,
      data: {
        ...request.data,
        from,
        to,
        actor_id: actor.id,
        ...(reason === undefined ? {} : { reason }),
        ...(because_of === undefined ? {} : { because_of }),
      },
      correlation_id: task.correlation_id,
    });
    // Tasks that wait for this one are of the same team, so this wakes their dispatcher as well.
    markTeamsChanged(runnerOf(manager), [task.team_id]);
    for (const listener of this.listeners)
      await listener(manager, { task, from, to, actor, reason, run_id, ends_run });
    if (to === 'done' || to === 'cancelled') await this.kin.follow(manager, task, { delivery_id, run_id });
    return task;
  }
}

const WRITE: PreparedStatement = {
  name: 'move-task',
  text: `UPDATE tasks SET status = $2, assignee_id = $3, hold_reason = $4, last_error = $5, failed_runs = $6, dispatch_after = $7,
      completed_at = $8, version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING version, updated_at`,
};

/** What a move changes, without reading the row once more to find that out. */
async function write(manager: EntityManager, task: Task): Promise<void> {
  const { id, status, assignee_id, hold_reason, last_error, failed_runs, dispatch_after, completed_at } =
    task;
  const values = [
    id,
    status,
    assignee_id,
    hold_reason,
    last_error,
    failed_runs,
    dispatch_after,
    completed_at,
  ];
  Object.assign(task, (await preparedBy<Pick<Task, 'version' | 'updated_at'>>(manager, WRITE, values))[0]);
}

const newAttempt = (task: Task): TransitionRequest['patch'] => ({
  failed_runs: 0,
  dispatch_after: null,
  ...(endsWithNewAttempt(task.hold_reason) ? { hold_reason: null } : {}),
});

/**
 * NO KEY UPDATE keeps out every other change of the task, but not the foreign keys of messages and events written
 * about it meanwhile.
 */
export async function lockTask(manager: EntityManager, task_id: number): Promise<Task> {
  const task = await manager.findOne(Task, {
    where: { id: task_id },
    lock: { mode: 'for_no_key_update' },
  });
  if (task === null) throw new DomainError('task_not_found', 'Task not found');
  return task;
}

/** Runs `work` in the manager's transaction if it has one, else in a new one: no needless savepoints. */
export const inTransaction = <T>(
  manager: EntityManager,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> => (manager.queryRunner?.isTransactionActive ? work(manager) : manager.transaction(work));

/** The connection of a manager inside a transaction. */
export function runnerOf(manager: EntityManager): QueryRunner {
  if (manager.queryRunner === undefined) throw new Error('this must run inside a transaction');
  return manager.queryRunner;
}

async function assertDependenciesDone(manager: EntityManager, task_id: number): Promise<void> {
  const blocking = await unmetDependencies(manager, task_id);
  if (blocking.length > 0)
    throw new DomainError(
      'blocked_by_dependencies',
      `Blocked by unresolved dependencies: ${blocking.map((task) => `task ${task.id} (${task.status})`).join(', ')}`,
    );
}

const invalidTransition = (from: TaskStatus, to: TaskStatus): DomainError =>
  new DomainError(
    'invalid_transition',
    `Cannot transition from '${from}' to '${to}'. Allowed: {${TRANSITIONS[from].map((status) => `'${status}'`).join(', ')}}`,
  );
