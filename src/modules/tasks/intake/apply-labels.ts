import { type SourceChange, type SourceOutcome } from '../source-change.js';
import { lockTask } from '../task-transitions.js';
import { storable } from '../text.js';
import { activeLabels } from './apply-opened.js';
import { type IntakeBatch } from './intake-batch.js';
import { labelPriority } from './label-priority.js';
import { hasStarted } from './has-started.js';
import { boundTags, tagOf } from './source-text.js';

/** More labels than an issue can have on GitHub, over all its life. */
const MAX_LABELS = 500;

/**
 * `labeled`, `unlabeled`: the label in question is set or not, the last word by order of receipt; the list in the
 * payload is not looked at. The priority follows only where the labels' own verdict changes, so that one set by hand
 * stays.
 */
export async function applyLabel(batch: IntakeBatch, change: SourceChange): Promise<SourceOutcome> {
  const source = await batch.source(change);
  const label = storable(change.label ?? '');
  if (label === '' || source.state === 'deleted' || source.state === 'transferred')
    return { task_id: source.task_id, actions: [], reason: 'no_change' };
  const rank = () => labelPriority(activeLabels(source.labels), change.policy.label_priorities);
  const before = rank();
  const set = change.action === 'labeled';
  if (label in source.labels || Object.keys(source.labels).length < MAX_LABELS)
    source.labels = { ...source.labels, [label]: set };
  const after = rank();
  if (source.task_id === null) return { task_id: null, actions: [], reason: 'no_task' };

  const task = await lockTask(batch.manager, source.task_id);
  const was = { tags: task.tags, priority: task.priority };
  const tag = tagOf(label);
  task.tags = set ? boundTags([...was.tags, tag]) : was.tags.filter((other) => other !== tag);
  const started = await hasStarted(batch.manager, task);
  if (before !== after && !started) task.priority = after;
  const fields = [
    ...(task.tags.join('\0') === was.tags.join('\0') ? [] : ['tags']),
    ...(task.priority === was.priority ? [] : ['priority']),
  ];
  if (fields.length > 0) await batch.manager.save(task);
  if (fields.length > 0 || before !== after)
    await batch.recordEvent(change, task, {
      type: fields.length > 0 ? 'task.updated' : 'task.relabeled',
      data: {
        fields,
        priority: { from: was.priority, to: task.priority },
        ...(before !== after && started ? { not_applied: after } : {}),
      },
    });
  const actions = fields.includes('priority')
    ? [`re-ranked task #${task.id} to ${task.priority}`]
    : fields.length > 0
      ? [`updated the tags of task #${task.id}`]
      : [];
  return { task_id: task.id, actions, ...(actions.length === 0 ? { reason: 'no_change' as const } : {}) };
}
