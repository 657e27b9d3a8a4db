import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ResolvedSettings } from '../../../config/settings.js';
import { WRITE_BACKS_CHANNEL } from '../../../database/channels.js';
import { NotificationListener } from '../../../database/notification-listener.js';
import { drain, WorkLoop } from '../../../database/work-loop.js';
import { WriteBack } from './write-back.js';
import { type LeasedRow, WriteBackRows } from './write-back-rows.js';

const MAX_AT_ONCE = 8;
/** For a row that is due but not to be had: another process works for its organization. */
const BUSY_MS = 500;

/**
 * Works off what GitHub is to be told. Woken by NOTIFY, when a row comes due, and every few seconds; one row of an
 * organization at a time, so that none takes the others' places.
 */
@Injectable()
export class WriteBackWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(WriteBackWorker.name);
  /** By organization. */
  private readonly working = new Map<string, Promise<void>>();
  private readonly loop: WorkLoop;
  private stopping = new AbortController();

  constructor(
    private readonly settings: ResolvedSettings,
    listener: NotificationListener,
    private readonly rows: WriteBackRows,
    private readonly writeBack: WriteBack,
  ) {
    this.loop = new WorkLoop(listener, {
      channel: WRITE_BACKS_CHANNEL,
      poll_seconds: settings.ENTOURAGE_POLL_SECONDS,
      onPoll: () => this.rows.unpark(),
      hasRoom: () => this.hasRoom,
      look: () => this.look(),
      untilNext: () => this.untilNext(),
      failed: (error) => this.failed(error),
    });
  }

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('notifier')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    if (this.loop.isRunning) return;
    this.stopping = new AbortController();
    this.loop.start();
  }

  /** Takes no more rows and lets those under way finish; what has not by half of the grace is given back. */
  async stop(): Promise<void> {
    await this.loop.stop();
    const grace_ms = (this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000) / 2;
    await drain(this.working.values(), grace_ms, this.stopping);
  }

  private get hasRoom(): boolean {
    return this.working.size < MAX_AT_ONCE;
  }

  private async look(): Promise<void> {
    while (this.loop.isRunning && this.hasRoom) {
      const row = await this.rows.lease([...this.working.keys()]);
      if (row === null) return;
      this.work(row);
    }
  }

  private async untilNext(): Promise<number | null> {
    const wait_ms = await this.rows.nextDue([...this.working.keys()]);
    if (wait_ms === null) return null;
    return wait_ms > 0 ? wait_ms + 10 : BUSY_MS;
  }

  private work(row: LeasedRow): void {
    const work = this.writeBack
      .perform(row, this.stopping.signal)
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.working.delete(row.org_id);
        this.loop.wake();
      });
    this.working.set(row.org_id, work);
  }

  private failed(error: unknown): void {
    this.logger.warn({ err: error }, 'working off write-backs to GitHub failed; the next look is soon');
  }
}
