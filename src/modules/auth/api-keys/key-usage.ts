import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { DataSource } from 'typeorm';

const INTERVAL_MS = 60_000;
/** More keys than these in one minute only means a few statements that find nothing to write. */
const MAX_KEYS = 10_000;

const TOUCH = `
  UPDATE api_keys SET last_used_at = now()
  WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')`;

/** Keeps `last_used_at` within a minute of the truth, beside the requests and never in their way. */
@Injectable()
export class KeyUsage implements OnModuleDestroy {
  private readonly logger = new Logger(KeyUsage.name);
  private readonly recent = new LRUCache<string, true>({ max: MAX_KEYS, ttl: INTERVAL_MS });
  private readonly writing = new Set<Promise<void>>();

  constructor(private readonly db: DataSource) {}

  note(api_key_id: string): void {
    if (this.recent.has(api_key_id)) return;
    this.recent.set(api_key_id, true);
    const write = this.db.query(TOUCH, [api_key_id]).then(
      () => undefined,
      (error: unknown) => this.logger.warn({ err: error }, 'last_used_at was not written'),
    );
    this.writing.add(write);
    void write.finally(() => this.writing.delete(write));
  }

  /** Resolves when what was noted so far is written. */
  async settled(): Promise<void> {
    await Promise.all(this.writing);
  }

  onModuleDestroy(): Promise<void> {
    return this.settled();
  }
}
