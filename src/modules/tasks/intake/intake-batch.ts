import { type EntityManager, type QueryRunner } from 'typeorm';
import { type NewTaskEvent, recordEvent } from '../record-event.js';
import { type SourceChange, type SourceOutcome } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { lockToMove } from '../task-locks.js';
import { type Task } from '../task.entity.js';
import { LockedSources } from './locked-sources.js';
import { type Opening, openTasks } from './open-tasks.js';
import { senderOf } from './sender.js';

/** The changes that one transaction applies, in the order they came. */
export class IntakeBatch {
  /** Tasks whose text was taken away: others hold some of it too. */
  readonly redacted: number[] = [];
  private openings: Opening[] = [];

  private constructor(
    readonly runner: QueryRunner,
    readonly sources: LockedSources,
  ) {}

  static async begin(runner: QueryRunner, changes: SourceChange[]): Promise<IntakeBatch> {
    const sources = await LockedSources.lock(runner, changes);
    // A new issue, which most are, finds no task to lock.
    if (changes.some((change) => change.action !== 'opened' || change.other_key !== undefined))
      await lockToMove(
        runner.manager,
        sources.taskIds(),
        changes.some((change) => !isLabel(change)),
        changes.map((change) => change.team_id),
      );
    return new IntakeBatch(runner, sources);
  }

  get manager(): EntityManager {
    return this.runner.manager;
  }

  /** The change's source. What an earlier change of the batch opened there is written first. */
  async source(change: SourceChange): Promise<TaskSource> {
    const source = this.sources.get(change.org_id, change.item.key);
    if (this.openings.some((opening) => opening.source === source)) await this.writeOpenings();
    return source;
  }

  /** Notes a task to be made: all of them go into one statement. */
  open(opening: Opening): SourceOutcome {
    this.openings.push(opening);
    return opening.outcome;
  }

  async end(): Promise<void> {
    await this.writeOpenings();
    await this.sources.save();
  }

  private async writeOpenings(): Promise<void> {
    const openings = this.openings;
    this.openings = [];
    await openTasks(this.runner, openings);
  }

  recordEvent(change: SourceChange, task: Task, event: Pick<NewTaskEvent, 'type' | 'data'>): Promise<void> {
    return recordEvent(this.manager, {
      ...event,
      org_id: task.org_id,
      task_id: task.id,
      actor: senderOf(change),
      correlation_id: task.correlation_id,
      delivery_id: change.delivery_id,
    });
  }
}

const isLabel = ({ action }: SourceChange): boolean => action === 'labeled' || action === 'unlabeled';
