import { type SourceChange } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { type Task } from '../task.entity.js';
import { type IntakeBatch } from './intake-batch.js';

/** A draft waits until it is ready for review. A hold for another reason is not a draft's to make or to end. */
export async function applyDraft(
  batch: IntakeBatch,
  change: SourceChange,
  source: TaskSource,
  task: Task,
): Promise<string[]> {
  if (source.draft) {
    if (task.hold_reason !== null || (task.status !== 'todo' && task.status !== 'in_progress')) return [];
    return hold(batch, change, task, 'draft');
  }
  if (task.hold_reason !== 'draft') return [];
  // Whose author is not trusted waits on for a member, unless one has released the task before.
  const untrusted = change.policy.hold_reason === 'awaiting_release' && !(await wasReleased(batch, task));
  return hold(batch, change, task, untrusted ? 'awaiting_release' : null);
}

async function hold(
  batch: IntakeBatch,
  change: SourceChange,
  task: Task,
  hold_reason: string | null,
): Promise<string[]> {
  const from = task.hold_reason;
  task.hold_reason = hold_reason;
  await batch.manager.save(task);
  await batch.recordEvent(change, task, {
    type: hold_reason === null ? 'task.ready' : 'task.held',
    data: { from, to: hold_reason },
  });
  return [hold_reason === null ? `task #${task.id} is ready` : `task #${task.id} waits: ${hold_reason}`];
}

async function wasReleased(batch: IntakeBatch, task: Task): Promise<boolean> {
  const [row] = await batch.manager.query<{ released: boolean }[]>(
    `SELECT EXISTS (SELECT FROM task_events WHERE task_id = $1 AND type = 'task.released') AS released`,
    [task.id],
  );
  return row?.released ?? false;
}
