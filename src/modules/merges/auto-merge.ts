import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MERGES_CHANNEL } from '../../database/channels.js';
import { DomainError } from '../../errors/domain-error.js';
import { systemActor } from '../auth/identity.js';
import { TaskTransitions, Tasks } from '../tasks/tasks.facade.js';
import { QueueMerge } from './queue-merge.js';
import { TaskTips } from './task-tips.js';

/** Looked at in one go; the next go begins behind the last of them. */
const MAX_TASKS = 50;

const APPROVED = `
  SELECT t.id FROM tasks t JOIN team_settings s ON s.team_id = t.team_id
  WHERE t.status = 'in_approval' AND s."values"->>'auto_merge' = 'true' AND t.id > $1
  ORDER BY t.id LIMIT ${MAX_TASKS}`;

/** Queues what was approved by itself, in teams whose settings say `auto_merge`. */
@Injectable()
export class AutoMerge {
  private readonly logger = new Logger(AutoMerge.name);
  private behind = 0;

  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
    private readonly tips: TaskTips,
    private readonly queue: QueueMerge,
    transitions: TaskTransitions,
  ) {
    transitions.onTransition(async (manager, { to }) => {
      if (to === 'in_approval') await manager.query('SELECT pg_notify($1, $2)', [MERGES_CHANNEL, '']);
    });
  }

  async queueApproved(): Promise<void> {
    const found = await this.db.query<{ id: number }[]>(APPROVED, [this.behind]);
    this.behind = found.length < MAX_TASKS ? 0 : (found.at(-1)?.id ?? 0);
    for (const { id } of found)
      await this.queueTask(id).catch((error: unknown) => {
        // Somebody was faster, or it was moved there by hand without an approval: then a person goes on.
        if (!(error instanceof DomainError))
          this.logger.warn({ err: error, task_id: id }, 'an approved task could not be queued to be merged');
      });
  }

  /** Into every repository in which it has something to merge, together. */
  private async queueTask(task_id: number): Promise<void> {
    const task = await this.tasks.get(task_id);
    const tips = await this.tips.unmerged(this.db.manager, task);
    const newest = await this.tips.newest(this.db.manager, task_id);
    const actor = systemActor('merges');
    await this.db.transaction(async (manager) => {
      for (const { repository, commit } of tips)
        await this.queue.queue(manager, { task_id, repository, commit, newest, strategy: 'rebase', actor });
    });
  }
}
