import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { MERGES_CHANNEL } from '../../database/channels.js';
import { NotificationListener } from '../../database/notification-listener.js';
import { AutoMerge } from './auto-merge.js';
import { CarryMerge } from './carry-merge.js';
import { type ClaimedMerge, claimMerge, MAX_ATTEMPTS, untilNextMerge, wasFaster } from './claim-merge.js';
import { MergeNotCurrent, MergePostponed, MergeRefused } from './merge-outcome.js';
import { SettleMerge } from './settle-merge.js';

/** Of one process, each in another repository. */
const AT_ONCE = 4;
const MAX_TIMER_MS = 3_600_000;
/** How long somebody is waited for to mend something: each time twice as long. */
const FIRST_WAIT_SECONDS = 5;
const MAX_WAIT_SECONDS = 600;

/**
 * Merges what is queued: one at a time for each repository, in order, over any number of processes. Woken by NOTIFY, by
 * each end, and when a lease or a wait is over; every few seconds it looks anyway.
 */
@Injectable()
export class MergeQueue implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(MergeQueue.name);
  private readonly merging = new Set<Promise<void>>();
  private readonly stopped = new AbortController();
  private running = false;
  private wanted = false;
  private looking: Promise<void> | null = null;
  private unsubscribe: (() => void) | undefined;
  private poll: NodeJS.Timeout | undefined;
  private next: NodeJS.Timeout | undefined;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
    private readonly auto: AutoMerge,
    private readonly carrier: CarryMerge,
    private readonly settle: SettleMerge,
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
    const wake = (): void => this.wake();
    this.unsubscribe = this.listener.subscribe(MERGES_CHANNEL, { notified: wake, connected: wake });
    this.poll = setInterval(wake, this.settings.ENTOURAGE_POLL_SECONDS * 1000);
    this.wake();
  }

  /** Claims no more, lets what is under way end within the grace, and gives back what has not. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    this.unsubscribe?.();
    clearInterval(this.poll);
    clearTimeout(this.next);
    await this.looking;
    const grace = setTimeout(
      () => this.stopped.abort(),
      (this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000) / 2,
    );
    await Promise.allSettled(this.merging);
    clearTimeout(grace);
  }

  private wake(): void {
    this.wanted = true;
    if (!this.running || this.looking !== null) return;
    this.looking = this.look()
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'looking for merges failed; the next look is soon'),
      )
      .finally(() => {
        this.looking = null;
        if (this.wanted && this.hasRoom) this.wake();
      });
  }

  private get hasRoom(): boolean {
    return this.running && this.merging.size < AT_ONCE;
  }

  private async look(): Promise<void> {
    while (this.wanted && this.hasRoom) {
      this.wanted = false;
      await this.auto.queueApproved();
      for (let job = await this.claim(); job !== null; job = await this.claim()) this.merge(job);
    }
    const wait_ms = await untilNextMerge(this.db.manager);
    clearTimeout(this.next);
    if (this.running && wait_ms !== null)
      this.next = setTimeout(() => this.wake(), Math.min(MAX_TIMER_MS, wait_ms) + 1);
  }

  private async claim(): Promise<ClaimedMerge | null> {
    if (!this.hasRoom) return null;
    try {
      return await this.db.transaction((manager) => claimMerge(manager, this.lease));
    } catch (error) {
      if (!wasFaster(error)) throw error;
      return null;
    }
  }

  private get lease(): number {
    return this.settings.ENTOURAGE_RUN_LEASE_SECONDS;
  }

  private merge(job: ClaimedMerge): void {
    const work = this.carry(job)
      .catch((error: unknown) => {
        // Its lease runs out, and whoever takes it next finds out how far it came.
        if (!(error instanceof MergeNotCurrent))
          this.logger.error({ err: error, job_id: job.id, task_id: job.task_id }, 'a merge was lost');
      })
      .finally(() => {
        this.merging.delete(work);
        this.wake();
      });
    this.merging.add(work);
  }

  private async carry(job: ClaimedMerge): Promise<void> {
    const lost = new AbortController();
    const signal = AbortSignal.any([lost.signal, this.stopped.signal]);
    const beating = setInterval(
      () =>
        void this.settle.renew(job, this.lease).catch((error: unknown) => {
          if (error instanceof MergeNotCurrent) lost.abort(error);
          else this.logger.warn({ err: error, job_id: job.id }, 'a heartbeat failed');
        }),
      (this.lease * 1000) / 3,
    );
    try {
      await this.carrier.carry(job, signal);
    } catch (error) {
      if (error instanceof MergeRefused) await this.refuse(job, error);
      else if (error instanceof MergePostponed) await this.postpone(job, error);
      else if (this.stopped.signal.aborted && !lost.signal.aborted)
        await this.settle.giveBack(job, null, null);
      else throw error;
    } finally {
      clearInterval(beating);
    }
  }

  private async refuse(job: ClaimedMerge, refusal: MergeRefused): Promise<void> {
    if (refusal.details.checks_output !== undefined)
      await this.settle.keepOutput(job, refusal.details.checks_output);
    await this.settle.fail(job, refusal);
  }

  /** Somebody has to mend something: waited for, longer each time, but not for ever. */
  private async postpone(job: ClaimedMerge, { message }: MergePostponed): Promise<void> {
    if (job.attempts >= MAX_ATTEMPTS) return this.settle.fail(job, new MergeRefused('git_failed', message));
    const seconds = Math.min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (job.attempts - 1));
    await this.settle.giveBack(job, seconds, message);
  }
}
