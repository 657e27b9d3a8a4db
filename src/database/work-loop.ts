import { type NotificationListener } from './notification-listener.js';

const MAX_TIMER_MS = 3_600_000;

/** What a loop looks for. */
export interface Work {
  /** A notification there means that there may be something. */
  channel: string;
  poll_seconds: number;
  /** Comes before the look of every `poll_seconds`. */
  onPoll?: () => Promise<unknown>;
  /** Without room nothing is looked for: whoever ends some work wakes the loop. */
  hasRoom?: () => boolean;
  /** Takes up what there is. */
  look: () => Promise<void>;
  /** Milliseconds until there is something again of which nobody will be told; null when there is no such thing. */
  untilNext: () => Promise<number | null>;
  failed: (error: unknown) => void;
}

/**
 * Looks for work, one look at a time: when woken, by NOTIFY, on every connection of the listener, at the moment that
 * something comes due, and every few seconds should all of that be lost. Starts and stops idempotently.
 */
export class WorkLoop {
  private running = false;
  private wanted = false;
  private looking: Promise<void> | null = null;
  private unsubscribe: () => void = () => undefined;
  private poll: NodeJS.Timeout | undefined;
  private next: NodeJS.Timeout | undefined;

  constructor(
    private readonly listener: NotificationListener,
    private readonly work: Work,
  ) {}

  get isRunning(): boolean {
    return this.running;
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    const { channel, poll_seconds, onPoll, failed } = this.work;
    const wake = (): void => this.wake();
    this.unsubscribe = this.listener.subscribe(channel, { notified: wake, connected: wake });
    this.poll = setInterval(() => {
      if (onPoll === undefined) wake();
      else onPoll().then(wake, failed);
    }, poll_seconds * 1000);
    this.wake();
  }

  /** Looks no more, and waits for the look that is under way. */
  async stop(): Promise<void> {
    this.running = false;
    this.unsubscribe();
    clearInterval(this.poll);
    clearTimeout(this.next);
    await this.looking;
  }

  wake(): void {
    this.wanted = true;
    if (!this.running || this.looking !== null) return;
    this.looking = this.lookAround()
      .catch((error: unknown) => this.work.failed(error))
      .finally(() => {
        this.looking = null;
        // What came in after the last look.
        if (this.wanted && this.mayLook) this.wake();
      });
  }

  private get mayLook(): boolean {
    return this.running && (this.work.hasRoom?.() ?? true);
  }

  private async lookAround(): Promise<void> {
    while (this.wanted && this.mayLook) {
      this.wanted = false;
      await this.work.look();
    }
    const wait_ms = await this.work.untilNext();
    clearTimeout(this.next);
    if (this.running && wait_ms !== null)
      this.next = setTimeout(() => this.wake(), Math.min(MAX_TIMER_MS, Math.max(0, wait_ms) + 1));
  }
}

/** Waits for what is under way, and after `ms` aborts what has not ended by then. */
export async function drain(work: Iterable<Promise<void>>, ms: number, cut: AbortController): Promise<void> {
  const grace = setTimeout(() => cut.abort(), ms);
  await Promise.allSettled(work);
  clearTimeout(grace);
}
