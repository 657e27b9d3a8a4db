import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { type ChangedIds, readTeams, TASKS_CHANNEL } from '../../database/channels.js';
import { NotificationListener } from '../../database/notification-listener.js';
import { type Task } from '../tasks/task.entity.js';

/** How often somebody who waits is told that the wait goes on. */
const TELL_SECONDS = 10;

export interface TaskWait {
  task_id: number;
  team_id: string;
  ends: (status: string) => boolean;
  seconds: number;
  /** Aborted when nobody waits any more. */
  signal: AbortSignal;
  /** Told of each status on the way, and now and then how long the wait has lasted. */
  told: (seconds: number, status: string | null) => void;
}

type Waiter = Pick<TaskWait, 'task_id' | 'team_id'> & { see(status: string | null): void };

/**
 * Those who wait for the status of a task. They share the process's one connection that LISTENs, and one statement for
 * all of them, however many wait: at a hint about their team, at each connection of the listener, and now and then
 * should every hint be lost.
 */
@Injectable()
export class TaskWaits implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(TaskWaits.name);
  private readonly waiters = new Set<Waiter>();
  private readonly endings = new Set<() => void>();
  private changed: Set<string> | '*' = new Set();
  private looking = false;
  private closing = false;
  private poll: NodeJS.Timeout | undefined;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
  ) {}

  /** How many wait here. */
  get waiting(): number {
    return this.waiters.size;
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.listener.subscribe(TASKS_CHANNEL, {
      notified: (text) => this.wake(readTeams(text)),
      connected: () => this.wake('*'),
    });
    this.poll = setInterval(() => this.wake('*'), this.settings.ENTOURAGE_POLL_SECONDS * 1000);
  }

  /** Everybody is answered: a shutdown does not wait for them. */
  onModuleDestroy(): void {
    this.closing = true;
    this.unsubscribe();
    clearInterval(this.poll);
    for (const end of this.endings) end();
  }

  /** @returns whether the status was reached; not when the time is over, nobody waits any more, or the service stops. */
  wait({ task_id, team_id, ends, seconds, signal, told }: TaskWait): Promise<boolean> {
    return new Promise((resolve) => {
      const began = performance.now();
      let last: string | null = null;
      const finish = (reached: boolean): void => {
        clearTimeout(timeout);
        clearInterval(telling);
        signal.removeEventListener('abort', giveUp);
        this.waiters.delete(waiter);
        this.endings.delete(giveUp);
        resolve(reached);
      };
      const giveUp = (): void => finish(false);
      const waiter: Waiter = {
        task_id,
        team_id,
        // A row that is gone will not change any more: the caller finds out what became of it.
        see: (status) => {
          const isNews = status !== last;
          last = status;
          if (status === null || ends(status)) finish(status !== null);
          else if (isNews) tell();
        },
      };
      const timeout = setTimeout(giveUp, seconds * 1000);
      const tell = (): void => told(Math.round((performance.now() - began) / 1000), last);
      const telling = setInterval(tell, TELL_SECONDS * 1000);
      signal.addEventListener('abort', giveUp);
      this.waiters.add(waiter);
      this.endings.add(giveUp);
      if (signal.aborted || this.closing) giveUp();
      else this.wake([team_id]);
    });
  }

  private wake(teams: ChangedIds): void {
    if (this.waiters.size === 0) return;
    if (teams === '*') this.changed = '*';
    else if (this.changed !== '*') for (const id of teams) this.changed.add(id);
    if (!this.looking) void this.look();
  }

  /** Looks until nothing has changed meanwhile; what fails is looked at again at the next hint or poll. */
  private async look(): Promise<void> {
    this.looking = true;
    try {
      while (this.changed === '*' || this.changed.size > 0) {
        const { changed } = this;
        this.changed = new Set();
        await this.lookAt(changed);
      }
    } catch (error) {
      this.changed = '*';
      this.logger.warn({ err: error }, 'looking for those who wait failed; the next look is soon');
    } finally {
      this.looking = false;
    }
  }

  private async lookAt(teams: Set<string> | '*'): Promise<void> {
    const concerned = [...this.waiters].filter(({ team_id }) => teams === '*' || teams.has(team_id));
    if (concerned.length === 0) return;
    const rows = await this.db.query<Pick<Task, 'id' | 'status'>[]>(
      'SELECT id, status FROM tasks WHERE id = ANY($1)',
      [[...new Set(concerned.map(({ task_id }) => task_id))]],
    );
    const statuses = new Map(rows.map(({ id, status }) => [id, status]));
    for (const waiter of concerned)
      if (this.waiters.has(waiter)) waiter.see(statuses.get(waiter.task_id) ?? null);
  }
}
