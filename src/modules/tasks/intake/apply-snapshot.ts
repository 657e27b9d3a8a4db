import { type SourceChange, type SourceOutcome } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { lockTask, type TaskTransitions } from '../task-transitions.js';
import { applyDraft } from './apply-draft.js';
import { cancelTask } from './apply-moved.js';
import { activeLabels } from './apply-opened.js';
import { type IntakeBatch } from './intake-batch.js';
import { labelPriority } from './label-priority.js';
import { reviseTask } from './revise-task.js';
import { senderOf } from './sender.js';

/**
 * `edited`, `closed`, `reopened`, `ready_for_review`, `converted_to_draft`: each shows the whole item, so each brings
 * text, state and draft up to date, and what is older than the last one seen has nothing to add, whatever its name.
 */
export async function applySnapshot(
  batch: IntakeBatch,
  transitions: TaskTransitions,
  change: SourceChange,
): Promise<SourceOutcome> {
  const source = await batch.source(change);
  const { item } = change;
  const last = source.source_updated_at;
  if (source.state === 'deleted' || source.state === 'transferred' || isOlder(item.updated_at, last))
    return { task_id: source.task_id, actions: [], reason: 'stale' };
  const { draft: wasDraft, state: wasState } = source;
  const state = stateOf(change, source, last);
  Object.assign(source, {
    state,
    state_reason: state === 'closed' && change.merged === true ? 'merged' : item.state_reason,
    draft: draftOf(change),
    source_updated_at: item.updated_at ?? last,
    repository: item.repository ?? source.repository,
    url: item.url ?? source.url,
  });
  if (source.task_id === null) {
    source.early_text = { title: item.title, body: item.body };
    return { task_id: null, actions: [], reason: 'no_task' };
  }
  const actions: string[] = [];
  if (state === 'closed' && (change.action === 'closed' || wasState === 'open'))
    actions.push(...(await cancelTask(batch, transitions, change, source.task_id, closedAs(source))));
  if (state === 'open' && (change.action === 'reopened' || wasState === 'closed'))
    actions.push(...(await reopen(batch, transitions, change, source, source.task_id)));
  const task = await lockTask(batch.manager, source.task_id);
  actions.push(...(await reviseTask(batch, change, source, task)));
  if (source.draft !== wasDraft) actions.push(...(await applyDraft(batch, change, source, task)));
  return { task_id: task.id, actions, ...(actions.length === 0 ? { reason: 'no_change' as const } : {}) };
}

const isOlder = (time: Date | null, last: Date | null): boolean =>
  time !== null && last !== null && time < last;

/** The event's own word, or, of a newer picture than the last, the state that it shows. */
function stateOf(change: SourceChange, source: TaskSource, last: Date | null): TaskSource['state'] {
  if (change.action === 'closed') return 'closed';
  if (change.action === 'reopened') return 'open';
  const time = change.item.updated_at;
  return time !== null && last !== null && time > last ? change.item.state : source.state;
}

function draftOf({ action, item }: SourceChange): boolean {
  if (action === 'converted_to_draft') return true;
  return action === 'ready_for_review' ? false : item.draft;
}

const closedAs = ({ state_reason }: TaskSource): string =>
  state_reason === null ? 'closed' : state_reason === 'merged' ? 'merged' : `closed as ${state_reason}`;

/** A new attempt starts from what the labels say by now: what came while the last one ran was only noted. */
async function reopen(
  batch: IntakeBatch,
  transitions: TaskTransitions,
  change: SourceChange,
  source: TaskSource,
  task_id: number,
): Promise<string[]> {
  const task = await transitions.reopen(batch.manager, {
    task_id,
    actor: senderOf(change),
    reason: 'opened again on GitHub',
    delivery_id: change.delivery_id,
  });
  if (task === null) return [];
  const { priority: from } = task;
  const to = labelPriority(activeLabels(source.labels), change.policy.label_priorities);
  if (from === to) return [`reopened task #${task_id}`];
  await batch.manager.save(Object.assign(task, { priority: to }));
  await batch.recordEvent(change, task, {
    type: 'task.updated',
    data: { fields: ['priority'], priority: { from, to } },
  });
  return [`reopened task #${task_id}`, `re-ranked task #${task_id} to ${to}`];
}
