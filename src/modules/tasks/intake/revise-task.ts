import { markTeamsChanged } from '../../../database/notify-on-commit.js';
import { type SourceChange } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { type Task } from '../task.entity.js';
import { hasStarted } from './has-started.js';
import { type IntakeBatch } from './intake-batch.js';
import { senderOf } from './sender.js';
import { heading, taskDescription, taskTitle, textHash } from './source-text.js';

/** New text replaces the old where no work has begun on it, else it is noted and the assignee is told. */
export async function reviseTask(
  batch: IntakeBatch,
  change: SourceChange,
  source: TaskSource,
  task: Task,
): Promise<string[]> {
  const { item } = change;
  const hash = textHash(item);
  const started = await hasStarted(batch.manager, task);
  if (hash === source.body_sha256 && (started || !source.edited_after_start)) return [];
  const title = taskTitle(item.kind, item.title);
  const description = taskDescription(item.kind, item.number, item.body);
  const fields = [
    ...(title === task.title ? [] : ['title']),
    ...(description === task.description ? [] : ['description']),
  ];
  source.body_sha256 = hash;
  source.edited_after_start = started;
  if (fields.length === 0) return [];
  if (!started) {
    Object.assign(task, { title, description });
    await batch.manager.save(task);
  } else if (task.assignee_id !== null) await tellAssignee(batch, change, task, { title, description });
  await batch.recordEvent(change, task, {
    type: 'task.revised',
    data: { fields, body_sha256: hash, applied: !started },
  });
  return [started ? `noted an edit after task #${task.id} had started` : `revised task #${task.id}`];
}

/** The text is GitHub's: the actor of the message says so to whoever puts it into a prompt. */
async function tellAssignee(
  batch: IntakeBatch,
  change: SourceChange,
  task: Task,
  text: { title: string; description: string },
): Promise<void> {
  const content =
    `${heading(change.item.kind, change.item.number)} was edited after work on it had started. ` +
    `It now reads:\n\n${text.title}\n\n${text.description}`;
  await batch.manager.query(
    `INSERT INTO messages (org_id, team_id, sender_type, actor, recipient_id, recipient_type, task_id, content)
     VALUES ($1, $2, 'system', $3, $4, 'agent', $5, $6)`,
    [task.org_id, task.team_id, JSON.stringify(senderOf(change)), task.assignee_id, task.id, content],
  );
  markTeamsChanged(batch.runner, [task.team_id]);
}
