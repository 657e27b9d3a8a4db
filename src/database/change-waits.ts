/**
 * Callers at this process who wait for a change, each of something named by a key. Whoever hears of changes wakes them;
 * a look now and then makes up for a lost notification.
 */
export class ChangeWaits<Key> {
  private readonly waiting = new Map<() => void, Key>();
  private closing = false;

  constructor(private readonly look_every_ms: number) {}

  get size(): number {
    return this.waiting.size;
  }

  get isClosing(): boolean {
    return this.closing;
  }

  /**
   * Begins to wait; to be called before looking, so that what comes in between is heard.
   * @param deadline by `performance.now()`
   * @returns `seen`, which resolves at a change, at the deadline, when the caller goes, and now and then.
   */
  begin(key: Key, gone: AbortSignal, deadline: number): { seen: Promise<void>; end(): void } {
    let end = (): void => undefined;
    const seen = new Promise<void>((done) => {
      const ms = Math.min(deadline - performance.now(), this.look_every_ms);
      end = (): void => {
        clearTimeout(timer);
        gone.removeEventListener('abort', end);
        this.waiting.delete(end);
        done();
      };
      const timer = setTimeout(end, Math.max(0, ms));
      gone.addEventListener('abort', end);
      this.waiting.set(end, key);
    });
    return { seen, end };
  }

  wake(concerns: (key: Key) => boolean): void {
    for (const [end, key] of Array.from(this.waiting)) if (concerns(key)) end();
  }

  /** Everybody who waits is woken for good: a shutdown does not wait for them. */
  close(): void {
    this.closing = true;
    this.wake(() => true);
  }
}
