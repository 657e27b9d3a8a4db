import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ResolvedSettings } from '../../config/settings.js';
import { HUMAN_REQUESTS_CHANNEL, readRequestId } from '../../database/channels.js';
import { ChangeWaits } from '../../database/change-waits.js';
import { NotificationListener } from '../../database/notification-listener.js';

/** Those who wait for an answer at this process, woken by NOTIFY; a look now and then makes up for a lost one. */
@Injectable()
export class AnswerWaits implements OnApplicationBootstrap, OnModuleDestroy {
  /** By request. */
  private readonly waits: ChangeWaits<number>;
  private unsubscribe: () => void = () => undefined;

  constructor(
    settings: ResolvedSettings,
    private readonly listener: NotificationListener,
  ) {
    this.waits = new ChangeWaits(settings.ENTOURAGE_POLL_SECONDS * 1000);
  }

  get waiters(): number {
    return this.waits.size;
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.listener.subscribe(HUMAN_REQUESTS_CHANNEL, {
      notified: (text) => this.wake(readRequestId(text)),
      connected: () => this.wake(null),
    });
  }

  /** Everybody who waits is answered: a shutdown does not wait for them. */
  onModuleDestroy(): void {
    this.unsubscribe();
    this.waits.close();
  }

  /**
   * Looks until `look` finds something settled, the time is over, the caller has gone or the service stops.
   * @returns what the last look found.
   */
  async until<T>(
    id: number,
    { wait_seconds, gone }: { wait_seconds: number; gone: AbortSignal },
    look: () => Promise<{ found: T; settled: boolean }>,
  ): Promise<T> {
    const deadline = performance.now() + wait_seconds * 1000;
    for (;;) {
      const change = this.waits.begin(id, gone, deadline);
      try {
        const { found, settled } = await look();
        if (settled || gone.aborted || this.waits.isClosing || performance.now() >= deadline) return found;
        await change.seen;
      } finally {
        change.end();
      }
    }
  }

  private wake(id: number | null): void {
    this.waits.wake((awaited) => id === null || id === awaited);
  }
}
