import { Injectable } from '@nestjs/common';
import { type EntityManager, type QueryRunner } from 'typeorm';
import { applyLabel } from './intake/apply-labels.js';
import { applyDeleted, applyTransferred } from './intake/apply-moved.js';
import { applyOpened } from './intake/apply-opened.js';
import { applySnapshot } from './intake/apply-snapshot.js';
import { IntakeBatch } from './intake/intake-batch.js';
import { type SourceAction, type SourceChange, type SourceOutcome } from './source-change.js';
import { TaskTransitions } from './task-transitions.js';

type Handler = (
  batch: IntakeBatch,
  transitions: TaskTransitions,
  change: SourceChange,
) => Promise<SourceOutcome>;

const HANDLERS: Record<SourceAction, Handler> = {
  opened: (batch, _, change) => applyOpened(batch, change),
  labeled: (batch, _, change) => applyLabel(batch, change),
  unlabeled: (batch, _, change) => applyLabel(batch, change),
  edited: applySnapshot,
  closed: applySnapshot,
  reopened: applySnapshot,
  ready_for_review: applySnapshot,
  converted_to_draft: applySnapshot,
  transferred: applyTransferred,
  deleted: applyDeleted,
};

/** Told the ids of the tasks, which are locked. */
export type RedactionListener = (manager: EntityManager, task_ids: number[]) => Promise<void>;

/** Turns what happens to issues and pull requests into tasks: one task per source, whatever arrives in which order. */
@Injectable()
export class TaskIntake {
  private readonly redactions: RedactionListener[] = [];

  constructor(private readonly transitions: TaskTransitions) {}

  /** Runs `listener` inside the transaction that takes away the text of tasks whose source was deleted. */
  onRedaction(listener: RedactionListener): void {
    this.redactions.push(listener);
  }

  /**
   * Applies the changes in their order, in the caller's transaction, which must commit for any of it to count. Without
   * `policy.sync` only `opened` has an effect.
   * @returns the outcome of each, in the same order.
   */
  async apply(runner: QueryRunner, changes: SourceChange[]): Promise<SourceOutcome[]> {
    const batch = await IntakeBatch.begin(
      runner,
      changes.filter((change) => hasEffect(change)),
    );
    const outcomes: SourceOutcome[] = [];
    for (const change of changes) outcomes.push(await this.applyOne(batch, change));
    await batch.end();
    if (batch.redacted.length > 0)
      for (const listener of this.redactions) await listener(batch.manager, batch.redacted);
    await addTasksOfOthers(runner, changes, outcomes);
    return outcomes;
  }

  private applyOne(batch: IntakeBatch, change: SourceChange): Promise<SourceOutcome> {
    if (!hasEffect(change))
      return Promise.resolve({ task_id: null, actions: [], reason: 'lifecycle_create_only' });
    return HANDLERS[change.action](batch, this.transitions, change);
  }
}

const hasEffect = (change: SourceChange): boolean => change.action === 'opened' || change.policy.sync;

/** Also a change without effect is about a task: the delivery log shows which. */
async function addTasksOfOthers(
  runner: QueryRunner,
  changes: SourceChange[],
  outcomes: SourceOutcome[],
): Promise<void> {
  const others = changes.filter((change) => !hasEffect(change));
  if (others.length === 0) return;
  const rows = (await runner.query(
    `SELECT org_id, key, task_id FROM task_sources
     WHERE (org_id, key) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))`,
    [others.map((change) => change.org_id), others.map((change) => change.item.key)],
  )) as { org_id: string; key: string; task_id: number | null }[];
  changes.forEach((change, place) => {
    const outcome = outcomes[place];
    if (outcome?.reason === 'lifecycle_create_only')
      outcome.task_id =
        rows.find((row) => row.org_id === change.org_id && row.key === change.item.key)?.task_id ?? null;
  });
}
