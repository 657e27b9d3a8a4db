import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';

const HOUR_MS = 3_600_000;
const AT_ONCE = 5_000;

/** Deliveries past their retention, and those of webhooks that are gone. */
const EXPIRED = `SELECT position FROM outbound_deliveries
  WHERE finished_at IS NOT NULL AND finished_at < now() - make_interval(days => $1) LIMIT ${AT_ONCE}`;
/** The webhooks that have deliveries, found by hopping through their index: they are few, the deliveries many. */
const ORPHANED = `
  WITH RECURSIVE known AS (
    (SELECT webhook_id FROM outbound_deliveries ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.webhook_id FROM outbound_deliveries d WHERE d.webhook_id > k.webhook_id ORDER BY d.webhook_id LIMIT 1)
    FROM known k WHERE k.webhook_id IS NOT NULL
  )
  SELECT d.position FROM known k
  CROSS JOIN LATERAL (SELECT position FROM outbound_deliveries d WHERE d.webhook_id = k.webhook_id LIMIT ${AT_ONCE}) d
  WHERE k.webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM outbound_webhooks w WHERE w.id = k.webhook_id)
  LIMIT ${AT_ONCE}`;

/** Keeps the outbox bounded and tidy, in small steps: at the start, every hour, and when a webhook is deleted. */
@Injectable()
export class OutboundRetention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(OutboundRetention.name);
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
  ) {}

  onApplicationBootstrap(): void {
    this.sweepSoon();
    this.timer = setInterval(() => this.sweepSoon(), HOUR_MS);
    this.timer.unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** In the background, after a sweep that is under way. */
  sweepSoon(): void {
    this.running = this.running.then(() =>
      this.sweep().catch((error: unknown) =>
        this.logger.error({ err: error }, 'the outbox could not be swept; the next try is in an hour'),
      ),
    );
  }

  async sweep(): Promise<void> {
    await this.deleteAll(EXPIRED, [this.settings.ENTOURAGE_DELIVERY_RETENTION_DAYS]);
    await this.deleteAll(ORPHANED, []);
    const inactive = await this.db.query<{ id: string }[]>(
      'SELECT id FROM outbound_webhooks WHERE NOT active',
    );
    for (const { id } of inactive) await this.suppress(id);
  }

  /** Sets aside what a disabled webhook has not been sent; it can be recovered. */
  async suppress(webhook_id: string): Promise<void> {
    await this.inSteps(
      `UPDATE outbound_deliveries SET status = 'suppressed', error = 'webhook_disabled', finished_at = clock_timestamp()
       WHERE position IN (
         SELECT d.position FROM outbound_deliveries d JOIN outbound_webhooks w ON w.id = d.webhook_id AND NOT w.active
         WHERE d.webhook_id = $1 AND d.finished_at IS NULL AND d.status IN ('pending', 'queued') LIMIT ${AT_ONCE}
         FOR UPDATE OF d SKIP LOCKED)`,
      [webhook_id],
    );
  }

  private deleteAll(found: string, values: unknown[]): Promise<void> {
    return this.inSteps(`DELETE FROM outbound_deliveries WHERE position IN (${found})`, values);
  }

  private async inSteps(statement: string, values: unknown[]): Promise<void> {
    for (let count = AT_ONCE; count === AT_ONCE && !this.stopping;)
      [, count] = await this.db.query<[unknown[], number]>(statement, values);
  }
}
