import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { hostname } from 'node:os';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { readRuns, readTeams, RUNS_CHANNEL, TASKS_CHANNEL } from '../../database/channels.js';
import { newId } from '../../database/new-id.js';
import { NotificationListener } from '../../database/notification-listener.js';
import { AgentSessions } from '../budgets/budgets.facade.js';
import { type ClaimedRun } from './claim-run.js';
import { lookForWork } from './look-for-work.js';
import { RunLifecycle } from './run-lifecycle.js';
import { RunSupervisor } from './supervise-run.js';

const MAX_TIMER_MS = 3_600_000;
/** In one transaction, which holds back the other claims of the team. */
const MAX_CLAIMS = 16;

/**
 * Brings waiting tasks to idle agents. Woken by NOTIFY for the teams that changed; every few seconds, on every
 * connection of the listener and when a backoff ends it looks at all of them. Any number may run side by side: the
 * claim decides.
 */
@Injectable()
export class Dispatcher implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly id = `${hostname()}:${process.pid}:${newId().slice(-12)}`;
  private readonly logger = new Logger(Dispatcher.name);
  private readonly teams = new Set<string>();
  private everything = false;
  private looking: Promise<void> | null = null;
  private running = false;
  private unsubscribe: (() => void)[] = [];
  private poll: NodeJS.Timeout | undefined;
  private sweep: NodeJS.Timeout | undefined;
  private backoff: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | null = null;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
    private readonly lifecycle: RunLifecycle,
    private readonly supervisor: RunSupervisor,
    private readonly sessions: AgentSessions,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('dispatcher')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    const all = (): void => this.wake('*');
    this.unsubscribe = [
      this.listener.subscribe(TASKS_CHANNEL, {
        notified: (text) => this.wake(readTeams(text)),
        connected: all,
      }),
      this.listener.subscribe(RUNS_CHANNEL, {
        notified: (text) => this.heed(readRuns(text)),
        connected: () => this.heed('*'),
      }),
    ];
    this.poll = setInterval(() => {
      this.wake('*');
      this.heed('*');
    }, this.settings.ENTOURAGE_POLL_SECONDS * 1000);
    const sweepEvery = Math.min(this.settings.ENTOURAGE_POLL_SECONDS, this.lifecycle.leaseSeconds / 4) * 1000;
    this.sweep = setInterval(() => this.expire(), sweepEvery);
    this.expire();
    this.wake('*');
  }

  /** Claims no more, lets the runs it watches finish within the grace, and gives back the tasks of those that did not. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    for (const end of this.unsubscribe) end();
    clearInterval(this.poll);
    clearInterval(this.sweep);
    clearTimeout(this.backoff);
    await this.looking;
    await this.sweeping;
    const grace_ms = this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000;
    await this.supervisor.shutdown(grace_ms / 2);
  }

  private wake(teams: string[] | '*'): void {
    if (teams === '*') this.everything = true;
    else for (const id of teams) this.teams.add(id);
    if (!this.running || this.looking !== null || !this.hasSomething || this.room <= 0) return;
    this.looking = this.look().then(
      () => {
        this.looking = null;
        // What came in after the last team was looked at.
        this.wake([]);
      },
      (error: unknown) => {
        this.looking = null;
        this.everything = true;
        this.logger.warn({ err: error }, 'looking for work failed; the next look is soon');
      },
    );
  }

  private get hasSomething(): boolean {
    return this.everything || this.teams.size > 0;
  }

  private get room(): number {
    return this.settings.ENTOURAGE_MAX_CONCURRENT_RUNS - this.supervisor.occupied;
  }

  private async look(): Promise<void> {
    while (this.running && this.hasSomething && this.room > 0) {
      // Those that change from here on are looked at in the next round, with what is to be adopted by then.
      const changed = this.everything ? null : [...this.teams];
      this.everything = false;
      this.teams.clear();
      const { teams, orphans, backoff_ms } = await lookForWork(this.db.manager, changed);
      this.planBackoff(backoff_ms);
      if (orphans) for (const run of await this.lifecycle.adopt(this.id, this.room)) this.supervise(run);
      // In no fixed order: where room is short no team is always the last, and dispatchers do not follow one another.
      for (const team_id of shuffle(teams)) await this.claimAll(team_id);
    }
  }

  private async claimAll(team_id: string): Promise<void> {
    let passed_over: string[] = [];
    for (let more = true; more && this.running;) {
      const limit = Math.min(MAX_CLAIMS, this.room);
      if (limit <= 0) {
        // Looked at again as soon as a run ends here.
        this.teams.add(team_id);
        return;
      }
      const claims = await this.lifecycle.claimSeveral({
        team_id,
        dispatcher: this.id,
        limit,
        passed_over,
      });
      for (const run of claims.runs) this.supervise(run);
      ({ passed_over, more } = claims);
    }
  }

  private supervise(run: ClaimedRun): void {
    // Whoever ends a run notifies; what there is to do here is to look at what there was no room for.
    this.supervisor.supervise(run, () => this.wake([]));
  }

  /** Looks again at the very moment the nearest backoff is over. */
  private planBackoff(wait_ms: number | null): void {
    clearTimeout(this.backoff);
    if (!this.running || wait_ms === null) return;
    this.backoff = setTimeout(() => this.wake('*'), Math.min(MAX_TIMER_MS, Math.max(0, wait_ms) + 1));
  }

  private heed(runs: string[] | '*'): void {
    this.supervisor
      .stopCancelled(runs)
      .catch((error: unknown) => this.logger.warn({ err: error }, 'looking for runs to stop failed'));
  }

  private expire(): void {
    this.sweeping ??= this.lifecycle
      .expireLost()
      .then(() => this.sessions.endSilent())
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'looking for lost runs and silent sessions failed'),
      )
      .finally(() => (this.sweeping = null));
  }
}

function shuffle<T>(items: T[]): T[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [items[last], items[other]] = [items[other] as T, items[last] as T];
  }
  return items;
}
