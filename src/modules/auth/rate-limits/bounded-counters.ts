import { type ThrottlerStorage } from '@nestjs/throttler';
import { LRUCache } from 'lru-cache';

interface Window {
  hits: number;
  ends_at: number;
}

/** About 150 bytes each, so some 8 MB a counter at most. */
const MAX_CALLERS = 50_000;

/**
 * Counts requests in windows that begin with a caller's first. Each kind of limit has its own bounded table, so that
 * whoever rotates addresses does not push out the counts of accounts. A table that is full forgets who was quiet longest.
 */
export class BoundedCounters implements ThrottlerStorage {
  private readonly tables = new Map<string, LRUCache<string, Window>>();

  constructor(
    private readonly maxCallers = MAX_CALLERS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  increment(key: string, ttl: number, limit: number, _block: number, limiter: string): Promise<Counted> {
    const table = this.table(limiter);
    const now = this.now();
    let window = table.get(key);
    if (window === undefined || window.ends_at <= now) {
      window = { hits: 0, ends_at: now + ttl };
      table.set(key, window);
    }
    window.hits++;
    const seconds = Math.ceil((window.ends_at - now) / 1000);
    return Promise.resolve({
      totalHits: window.hits,
      timeToExpire: seconds,
      isBlocked: window.hits > limit,
      timeToBlockExpire: seconds,
    });
  }

  /** Callers remembered at present. */
  get size(): number {
    return [...this.tables.values()].reduce((sum, table) => sum + table.size, 0);
  }

  private table(limiter: string): LRUCache<string, Window> {
    let table = this.tables.get(limiter);
    if (table === undefined) this.tables.set(limiter, (table = new LRUCache({ max: this.maxCallers })));
    return table;
  }
}

type Counted = Awaited<ReturnType<ThrottlerStorage['increment']>>;
