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
import { drain, WorkLoop } from '../../database/work-loop.js';
import { AutoMerge } from './auto-merge.js';
import { CarryMerge } from './carry-merge.js';
import { type ClaimedMerge, claimMerge, MAX_ATTEMPTS, untilNextMerge, wasFaster } from './claim-merge.js';
import { MergeNotCurrent, MergePostponed, MergeRefused } from './merge-outcome.js';
import { SettleMerge } from './settle-merge.js';

/** Of one process, each in another repository. */
const AT_ONCE = 4;
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
  private readonly loop: WorkLoop;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    listener: NotificationListener,
    private readonly auto: AutoMerge,
    private readonly carrier: CarryMerge,
    private readonly settle: SettleMerge,
  ) {
    this.loop = new WorkLoop(listener, {
      channel: MERGES_CHANNEL,
      poll_seconds: settings.ENTOURAGE_POLL_SECONDS,
      hasRoom: () => this.hasRoom,
      look: () => this.look(),
      untilNext: () => untilNextMerge(this.db.manager),
      failed: (error) => this.logger.warn({ err: error }, 'looking for merges failed; the next look is soon'),
    });
  }

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('dispatcher')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    this.loop.start();
  }

  /** Claims no more, lets what is under way end within the grace, and gives back what has not. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await drain(this.merging, (this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000) / 2, this.stopped);
  }

  private get hasRoom(): boolean {
    return this.merging.size < AT_ONCE;
  }

  private async look(): Promise<void> {
    await this.auto.queueApproved();
    for (let job = await this.claim(); job !== null; job = await this.claim()) this.merge(job);
  }

  private async claim(): Promise<ClaimedMerge | null> {
    if (!this.loop.isRunning || !this.hasRoom) return null;
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
        this.loop.wake();
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
