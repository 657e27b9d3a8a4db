import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { ResolvedSettings } from '../../../config/settings.js';
import { WRITE_BACKS_CHANNEL } from '../../../database/channels.js';
import { NotificationListener } from '../../../database/notification-listener.js';
import { WriteBack } from './write-back.js';
import { type LeasedRow, WriteBackRows } from './write-back-rows.js';

const MAX_AT_ONCE = 8;
const MAX_TIMER_MS = 3_600_000;
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
  private running = false;
  private stopping = new AbortController();
  private looking: Promise<void> | null = null;
  private again = false;
  private unsubscribe: () => void = () => undefined;
  private poll: NodeJS.Timeout | undefined;
  private due: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
    private readonly rows: WriteBackRows,
    private readonly writeBack: WriteBack,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('notifier')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.stopping = new AbortController();
    const wake = (): void => this.wake();
    this.unsubscribe = this.listener.subscribe(WRITE_BACKS_CHANNEL, { notified: wake, connected: wake });
    this.poll = setInterval(() => {
      this.rows.unpark().then(wake, (error: unknown) => this.failed(error));
    }, this.settings.ENTOURAGE_POLL_SECONDS * 1000);
    this.wake();
  }

  /** Takes no more rows and lets those under way finish; what has not by half of the grace is given back. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    this.unsubscribe();
    clearInterval(this.poll);
    clearTimeout(this.due);
    await this.looking;
    const late = new AbortController();
    const grace_ms = (this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000) / 2;
    const cut = delay(grace_ms, undefined, { signal: late.signal }).then(
      () => this.stopping.abort(),
      () => undefined,
    );
    await Promise.all(this.working.values());
    late.abort();
    await cut;
  }

  private wake(): void {
    this.again = true;
    if (!this.running || this.looking !== null) return;
    this.looking = this.look()
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.looking = null;
        if (this.again) this.wake();
      });
  }

  private async look(): Promise<void> {
    this.again = false;
    while (this.running && this.working.size < MAX_AT_ONCE) {
      const row = await this.rows.lease([...this.working.keys()]);
      if (row === null) break;
      this.work(row);
    }
    const wait_ms = await this.rows.nextDue([...this.working.keys()]);
    clearTimeout(this.due);
    if (!this.running || wait_ms === null) return;
    const wait = wait_ms > 0 ? wait_ms + 10 : BUSY_MS;
    this.due = setTimeout(() => this.wake(), Math.min(MAX_TIMER_MS, wait));
  }

  private work(row: LeasedRow): void {
    const work = this.writeBack
      .perform(row, this.stopping.signal)
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.working.delete(row.org_id);
        this.wake();
      });
    this.working.set(row.org_id, work);
  }

  private failed(error: unknown): void {
    this.logger.warn({ err: error }, 'working off write-backs to GitHub failed; the next look is soon');
  }
}
