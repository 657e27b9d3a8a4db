import { type EntityManager } from 'typeorm';
import { systemActor } from '../../auth/identity.js';
import { recordEvent } from '../record-event.js';
import { isFinished, isWorkInHand } from '../task-states.js';
import { type TransitionRequest } from '../task-transitions.js';
import { Task } from '../task.entity.js';
import { type SubtaskCountsDto } from '../tasks.dto.js';
import { cancelledWith } from './cancelled-with.js';
import { countOpenAndDone, countSubtasks } from './count-subtasks.js';

/** Whether somebody works on a task right now. */
export type BusyCheck = (manager: EntityManager, task_id: number) => Promise<boolean>;

/** What led to a move that others follow: kept in their events. */
export type Cause = Pick<TransitionRequest, 'delivery_id' | 'run_id'>;

/** How a task stands with its sub-tasks at the end of work on it. */
export type AfterWork = 'closed' | 'divided' | 'whole';

type Move = (manager: EntityManager, task: Task, request: TransitionRequest) => Promise<Task>;

/**
 * How tasks follow one another: a parent closes after its sub-tasks, what is below a cancelled task is cancelled, and
 * what depends on it as well where it says so. Their rows are locked already: see `lockToMove`.
 */
export class Kin {
  isBusy: BusyCheck = () => Promise.resolve(false);

  constructor(private readonly move: Move) {}

  /** After a task has ended. */
  async follow(manager: EntityManager, ended: Task, cause: Cause): Promise<void> {
    if (ended.status === 'cancelled')
      for (const { id, reason } of await cancelledWith(manager, ended)) {
        // An earlier round of this loop may have come to it another way.
        const task = await manager.findOneByOrFail(Task, { id });
        if (!isFinished(task.status))
          await this.move(manager, task, {
            ...cause,
            task_id: id,
            to: 'cancelled',
            actor: systemActor(reason === 'parent_cancelled' ? 'subtasks' : 'dependencies'),
            reason,
            because_of: ended.id,
          });
      }
    if (ended.parent_id !== null) await this.settle(manager, ended.parent_id, cause);
  }

  /** After a sub-task has ended or was taken away: the parent closes, or, with none that is done, needs a person. */
  async settle(manager: EntityManager, parent_id: number, cause: Cause = {}): Promise<void> {
    const parent = await manager.findOneByOrFail(Task, { id: parent_id });
    const counts = await this.settled(manager, parent);
    if (counts === null) return;
    if (counts.done > 0) await this.close(manager, parent, cause);
    else if (parent.status === 'in_progress') await this.giveToPerson(manager, parent, cause);
    else if (counts.total > 0 && parent.hold_reason === null) await this.hold(manager, parent, cause);
  }

  /**
   * At the end of work on the task itself, which had kept it open.
   * @returns `closed` when its sub-tasks have closed it: those that were done before, in an earlier life of the task, do
   * not. `divided` when some are open, `whole` otherwise, of a task that is still in hand.
   */
  async closeAfterWork(
    manager: EntityManager,
    task: Task,
    work: { began: Date } & Cause,
  ): Promise<AfterWork | null> {
    const { began, ...cause } = work;
    if (!isWorkInHand(task.status)) return null;
    const { open, done } = await countOpenAndDone(manager, task.id);
    if (open > 0) return 'divided';
    if (done === 0 || !(await hasDoneSince(manager, task.id, began))) return 'whole';
    await this.close(manager, task, cause);
    return 'closed';
  }

  /** How its sub-tasks ended; null while anything is to be waited for. */
  private async settled(manager: EntityManager, parent: Task): Promise<SubtaskCountsDto | null> {
    if (!isWorkInHand(parent.status)) return null;
    const counts = (await countSubtasks(manager, [parent.id]))(parent.id);
    return counts.open > 0 || (await this.isBusy(manager, parent.id)) ? null : counts;
  }

  /** Not in the table of states: the sub-tasks went through review and merge themselves. */
  private async close(manager: EntityManager, parent: Task, cause: Cause): Promise<void> {
    await this.move(manager, parent, {
      ...cause,
      task_id: parent.id,
      to: 'done',
      actor: systemActor('subtasks'),
      reason: 'subtasks_done',
      patch: { hold_reason: null, dispatch_after: null },
    });
  }

  private async giveToPerson(manager: EntityManager, parent: Task, cause: Cause): Promise<void> {
    await this.move(manager, parent, {
      ...cause,
      task_id: parent.id,
      to: 'todo',
      actor: systemActor('subtasks'),
      reason: 'subtasks_gone',
      patch: { hold_reason: 'subtasks_gone' },
    });
  }

  private async hold(manager: EntityManager, parent: Task, cause: Cause): Promise<void> {
    await manager.save(Object.assign(parent, { hold_reason: 'subtasks_gone' }));
    await recordEvent(manager, {
      ...cause,
      org_id: parent.org_id,
      task_id: parent.id,
      type: 'task.held',
      data: { from: null, to: 'subtasks_gone' },
      actor: systemActor('subtasks'),
      correlation_id: parent.correlation_id,
    });
  }
}

async function hasDoneSince(manager: EntityManager, parent_id: number, since: Date): Promise<boolean> {
  const rows = await manager.query<unknown[]>(
    `SELECT 1 FROM tasks c JOIN task_events e ON e.task_id = c.id
     WHERE c.parent_id = $1 AND e.type = 'task.status_changed' AND e.data->>'to' = 'done' AND e.created_at >= $2
     LIMIT 1`,
    [parent_id, since],
  );
  return rows.length > 0;
}
