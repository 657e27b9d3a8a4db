import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Metrics } from '../../metrics/metrics.js';

/** Counted no further: beyond it the number says only that there is far too much. */
const MAX_COUNTED = 100_000;

/** How much waits to be sent, and since when. The same in every process: take the maximum, not the sum. */
@Injectable()
export class OutboundGauges implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    private readonly db: DataSource,
  ) {}

  onModuleInit(): void {
    this.metrics.gauge('entourage_outbound_waiting', 'Notifications to send, up to 100,000', () =>
      this.read(
        `SELECT count(*)::int AS value FROM (
           SELECT FROM outbound_deliveries WHERE finished_at IS NULL LIMIT ${MAX_COUNTED}) waiting`,
      ),
    );
    this.metrics.gauge(
      'entourage_outbound_overdue_seconds',
      'Since when the notification that should have been sent first has been due, of webhooks that are not paused',
      () =>
        this.read(
          `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(d.due_at)), 0)::float8 AS value
           FROM outbound_webhook_states s JOIN outbound_webhooks w ON w.id = s.webhook_id
           CROSS JOIN LATERAL (SELECT due_at FROM outbound_deliveries d
             WHERE d.webhook_id = s.webhook_id AND d.status IN ('pending', 'delivering')
               AND d.due_at <= clock_timestamp() ORDER BY d.due_at LIMIT 1) d
           WHERE w.active AND (s.open_until IS NULL OR s.open_until <= clock_timestamp())`,
        ),
    );
  }

  /** Left out of the answer while the database does not answer. */
  private read(sql: string): Promise<number | null> {
    return this.db.query<{ value: number }[]>(sql).then(
      ([row]) => row?.value ?? 0,
      () => null,
    );
  }
}
