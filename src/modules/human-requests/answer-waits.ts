import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ResolvedSettings } from '../../config/settings.js';
import { HUMAN_REQUESTS_CHANNEL, readRequestId } from '../../database/channels.js';
import { NotificationListener } from '../../database/notification-listener.js';

/** Those who wait for an answer at this process, woken by NOTIFY; a look now and then makes up for a lost one. */
@Injectable()
export class AnswerWaits implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly waiting = new Map<() => void, number>();
  private closing = false;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
  ) {}

  get waiters(): number {
    return this.waiting.size;
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.listener.subscribe(HUMAN_REQUESTS_CHANNEL, {
      notified: (text) => this.wake(readRequestId(text)),
      connected: () => this.wake(null),
    });
  }

  /** Everybody who waits is answered: a shutdown does not wait for them. */
  onModuleDestroy(): void {
    this.closing = true;
    this.unsubscribe();
    this.wake(null);
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
      // Waiting before looking: what comes in between is heard.
      const change = this.awaitChange(id, gone, deadline);
      try {
        const { found, settled } = await look();
        if (settled || gone.aborted || this.closing || performance.now() >= deadline) return found;
        await change.seen;
      } finally {
        change.end();
      }
    }
  }

  private awaitChange(id: number, gone: AbortSignal, deadline: number): { seen: Promise<void>; end(): void } {
    let end = (): void => undefined;
    const seen = new Promise<void>((done) => {
      const ms = Math.min(deadline - performance.now(), this.settings.ENTOURAGE_POLL_SECONDS * 1000);
      end = (): void => {
        clearTimeout(timer);
        gone.removeEventListener('abort', end);
        this.waiting.delete(end);
        done();
      };
      const timer = setTimeout(end, Math.max(0, ms));
      gone.addEventListener('abort', end);
      this.waiting.set(end, id);
    });
    return { seen, end };
  }

  private wake(id: number | null): void {
    for (const [end, awaited] of Array.from(this.waiting)) if (id === null || id === awaited) end();
  }
}
