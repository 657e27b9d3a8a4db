import { type SourceChange, type SourceOutcome } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { lockTask } from '../task-transitions.js';
import { type IntakeBatch } from './intake-batch.js';
import { labelPriority } from './label-priority.js';
import { moveTask, REDACTED } from './apply-moved.js';
import { snapshotLabels } from './locked-sources.js';
import { reviseTask } from './revise-task.js';
import { taskDescription, taskTags, taskTitle, textHash } from './source-text.js';

export const activeLabels = (labels: Record<string, boolean>): string[] =>
  Object.keys(labels).filter((label) => labels[label]);

/**
 * One task per source, whatever came before: what events ahead of `opened` said of labels, text and state is already
 * in the source and wins over the older picture that `opened` gives.
 */
export async function applyOpened(batch: IntakeBatch, change: SourceChange): Promise<SourceOutcome> {
  const source = await batch.source(change);
  if (source.task_id !== null) {
    const moved = change.other_key !== undefined && source.number === null;
    return {
      ...exists(source.task_id),
      actions: moved ? await arrive(batch, change, source, source.task_id) : [],
    };
  }
  if (source.state === 'transferred') return whereItWent(batch, source);
  if (change.other_key !== undefined) {
    const old = batch.sources.get(change.org_id, change.other_key);
    if (old.task_id !== null) {
      const { task_id, actions } = await moveTask(batch, change, old, source);
      const revised = await arrive(batch, change, source, task_id);
      return { task_id, actions: [...actions, ...revised], reason: 'already_exists' };
    }
    if (old.state !== 'deleted') Object.assign(old, { state: 'transferred', state_reason: source.key });
  }
  return batch.open({
    change,
    source,
    task: firstTask(change, source),
    outcome: { task_id: null, actions: [] },
  });
}

const exists = (task_id: number | null): SourceOutcome => ({
  task_id,
  actions: [],
  reason: 'already_exists',
});

/** A task that was moved here takes on the number that the issue has here. */
async function arrive(
  batch: IntakeBatch,
  change: SourceChange,
  source: TaskSource,
  task_id: number | null,
): Promise<string[]> {
  const { number, url, repository } = change.item;
  Object.assign(source, { number, url, repository });
  // The text reads differently now, even if GitHub's own has not changed.
  source.body_sha256 = null;
  return task_id === null ? [] : reviseTask(batch, change, source, await lockTask(batch.manager, task_id));
}

/** The issue was transferred before its `opened` came: its task is made where it went, by the `opened` of there. */
async function whereItWent(batch: IntakeBatch, source: TaskSource): Promise<SourceOutcome> {
  const [row] = await batch.manager.query<{ task_id: number | null }[]>(
    'SELECT task_id FROM task_sources WHERE org_id = $1 AND key = $2',
    [source.org_id, source.state_reason],
  );
  return row?.task_id ? exists(row.task_id) : { task_id: null, actions: [], reason: 'no_task' };
}

function firstTask(change: SourceChange, source: TaskSource) {
  const { item, policy } = change;
  const { kind, number } = item;
  const known = source.source_updated_at;
  const outdated = known !== null && item.updated_at !== null && known > item.updated_at;
  const text = outdated && source.early_text !== null ? source.early_text : item;
  // The order of the payload first: tags follow it.
  const snapshot = snapshotLabels(change);
  const labels = { ...snapshot, ...source.labels };
  for (const label of Object.keys(snapshot)) source.labels[label] ??= true;
  const draft = outdated ? source.draft : item.draft || source.draft;
  Object.assign(source, {
    draft,
    early_text: null,
    body_sha256: textHash(text),
    source_updated_at: outdated ? known : item.updated_at,
    number,
    url: item.url,
    repository: item.repository,
    author: item.author,
    author_association: item.author_association,
  });
  const gone = source.state === 'deleted';
  return {
    title: taskTitle(kind, gone ? REDACTED : text.title),
    description: taskDescription(kind, number, gone ? REDACTED : text.body),
    status: source.state === 'open' ? ('todo' as const) : ('cancelled' as const),
    priority: labelPriority(activeLabels(source.labels), policy.label_priorities),
    hold_reason: heldFor(policy, draft),
    tags: taskTags(kind, gone ? [] : activeLabels(labels)),
  };
}

/** A draft waits only where later events are followed, since nothing else would end the wait. */
function heldFor({ hold_reason, sync }: SourceChange['policy'], draft: boolean): string | null {
  if (!sync) return hold_reason;
  if (draft) return hold_reason ?? 'draft';
  return hold_reason === 'draft' ? null : hold_reason;
}
