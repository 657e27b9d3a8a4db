import { markTeamsChanged } from '../../../database/notify-on-commit.js';
import { type SourceChange, type SourceOutcome } from '../source-change.js';
import { isFinished } from '../task-states.js';
import { type TaskSource } from '../task-source.entity.js';
import { lockTask, type TaskTransitions } from '../task-transitions.js';
import { type Task } from '../task.entity.js';
import { type IntakeBatch } from './intake-batch.js';
import { senderOf } from './sender.js';
import { boundTags, heading, itemName, taskTitle } from './source-text.js';

/** What stands where deleted text stood. */
export const REDACTED = '(deleted on GitHub)';

/** `transferred`: the task goes on under the key that the issue has now. Its `opened` may have come already. */
export async function applyTransferred(
  batch: IntakeBatch,
  transitions: TaskTransitions,
  change: SourceChange,
): Promise<SourceOutcome> {
  const source = await batch.source(change);
  const other_key = change.other_key;
  if (other_key === undefined || source.state === 'transferred' || source.state === 'deleted')
    return { task_id: source.task_id, actions: [], reason: 'no_change' };
  const there = batch.sources.get(change.org_id, other_key);
  if (source.task_id === null) {
    Object.assign(source, { state: 'transferred', state_reason: other_key });
    return { task_id: there.task_id, actions: [], reason: 'no_task' };
  }
  if (there.task_id === null) return moveTask(batch, change, source, there);
  // Both were opened as if they were two issues: the task of the new place stays.
  Object.assign(source, { state: 'transferred', state_reason: other_key });
  const actions = await cancelTask(batch, transitions, change, source.task_id, 'transferred');
  return {
    task_id: there.task_id,
    actions,
    ...(actions.length === 0 ? { reason: 'no_change' as const } : {}),
  };
}

export async function moveTask(
  batch: IntakeBatch,
  change: SourceChange,
  from: TaskSource,
  to: TaskSource,
): Promise<SourceOutcome> {
  const task_id = from.task_id;
  await batch.sources.moveTask(from, to);
  if (from.state !== 'deleted') Object.assign(from, { state: 'transferred', state_reason: to.key });
  if (task_id === null) return { task_id, actions: [], reason: 'no_task' };
  const task = await lockTask(batch.manager, task_id);
  await batch.recordEvent(change, task, { type: 'task.moved', data: { from: from.key, to: to.key } });
  markTeamsChanged(batch.runner, [task.team_id]);
  return { task_id, actions: [`moved task #${task_id} to ${to.repository ?? to.key}`] };
}

/** `deleted`: no more work, and no more of the text; the audit trail never held it. What others hold: see `onRedaction`. */
export async function applyDeleted(
  batch: IntakeBatch,
  transitions: TaskTransitions,
  change: SourceChange,
): Promise<SourceOutcome> {
  const source = await batch.source(change);
  if (source.state === 'deleted') return { task_id: source.task_id, actions: [], reason: 'no_change' };
  Object.assign(source, { state: 'deleted', early_text: null, labels: {}, body_sha256: null });
  if (source.task_id === null) return { task_id: null, actions: [], reason: 'no_task' };
  const cancelled = await cancelTask(batch, transitions, change, source.task_id, 'deleted', [
    'todo',
    'in_progress',
    'in_review',
    'in_approval',
  ]);
  const task = await lockTask(batch.manager, source.task_id);
  task.title = taskTitle(source.kind, REDACTED);
  task.description = `${heading(source.kind, source.number)}\n\n${REDACTED}`;
  task.tags = boundTags(task.tags.slice(0, 2));
  task.last_error = task.last_error === null ? null : REDACTED;
  // A branch that is being merged, or was, keeps the name it has in the repository.
  if (task.status === 'cancelled') task.branch = `task-${task.id}`;
  await batch.manager.save(task);
  await batch.manager.query(
    `UPDATE messages SET content = $2 WHERE task_id = $1 AND actor->>'type' = 'github'`,
    [task.id, REDACTED],
  );
  await batch.recordEvent(change, task, { type: 'task.redacted' });
  batch.redacted.push(task.id);
  return { task_id: task.id, actions: [...cancelled, `redacted task #${task.id}`] };
}

/** Cancels what has not come so far that a person has to decide. */
export async function cancelTask(
  batch: IntakeBatch,
  transitions: TaskTransitions,
  change: SourceChange,
  task_id: number,
  why: string,
  from: Task['status'][] = ['todo', 'in_progress'],
): Promise<string[]> {
  const task = await lockTask(batch.manager, task_id);
  const name = itemName(change.item.kind, change.item.number);
  if (!from.includes(task.status)) {
    if (!isFinished(task.status))
      await batch.recordEvent(change, task, {
        type: 'source.closed',
        data: { reason: why, status: task.status },
      });
    return [];
  }
  await transitions.transition(batch.manager, {
    task_id,
    to: 'cancelled',
    actor: senderOf(change),
    reason: `${name}: ${why}`,
    delivery_id: change.delivery_id,
  });
  return [`cancelled task #${task_id}`];
}
