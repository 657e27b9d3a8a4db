import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ResolvedSettings } from '../../../config/settings.js';

const WINDOW_MS = 60_000;
const MAX_TRACKED = 20_000;
const LOGGED_PER_WINDOW = 20;

/**
 * Holds back who sends what does not verify. Counted by address and webhook together: an address alone may be
 * GitHub's own, and a webhook alone could be shut for everybody by anyone who knows its URL.
 */
@Injectable()
export class RefusalLimits {
  private readonly refused = new LRUCache<string, { count: number; until: number }>({ max: MAX_TRACKED });
  private readonly logged = new LRUCache<string, { count: number; until: number }>({ max: MAX_TRACKED });

  constructor(private readonly settings: ResolvedSettings) {}

  /** Seconds to wait; 0 when the next request may be read. */
  retryAfter(address: string, webhook: string): number {
    const limit = this.settings.ENTOURAGE_RECEIVE_REFUSED_PER_MINUTE;
    const seen = this.refused.get(`${address} ${webhook}`);
    if (limit === 0 || seen === undefined || seen.count < limit) return 0;
    return Math.max(0, Math.ceil((seen.until - performance.now()) / 1000));
  }

  note(address: string, webhook: string): void {
    count(this.refused, `${address} ${webhook}`);
  }

  /** Whether one more refused request of this webhook is written to the log; what is not is only counted. */
  mayLog(webhook: string): boolean {
    return count(this.logged, webhook) <= LOGGED_PER_WINDOW;
  }
}

function count(counts: LRUCache<string, { count: number; until: number }>, key: string): number {
  const now = performance.now();
  const seen = counts.get(key);
  if (seen === undefined || seen.until <= now) {
    counts.set(key, { count: 1, until: now + WINDOW_MS });
    return 1;
  }
  seen.count += 1;
  return seen.count;
}
