import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { idTime } from '../../database/new-id.js';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { DeliveryKey } from './delivery-key.entity.js';
import { Delivery } from './delivery.entity.js';
import { type DeliveriesQuery, type DeliveryDto } from './delivery.dto.js';

const DEFAULT_LIMIT = 50;

/** The log of deliveries, to read. Whether the caller reaches the webhook is the caller's question. */
@Injectable()
export class DeliveryLog {
  constructor(private readonly db: DataSource) {}

  async page(webhook_id: string, query: DeliveriesQuery): Promise<Page<DeliveryDto>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const position = decodeCursor(query.cursor, 1);
    const builder = this.db
      .getRepository(Delivery)
      .createQueryBuilder('d')
      .select(SUMMARY_COLUMNS.map((column) => `d.${column}`))
      .where('d.webhook_id = :webhook_id', { webhook_id });
    if (query.status !== undefined) builder.andWhere('d.status = :status', { status: query.status });
    if (query.event !== undefined && query.event !== '*')
      builder.andWhere('(d.event_type = :event OR starts_with(d.event_type, :prefix))', {
        event: query.event.replace(/\.\*$/, ''),
        prefix: `${query.event.replace(/\.\*$/, '')}.`,
      });
    if (query.since !== undefined) builder.andWhere('d.created_at >= :since', { since: query.since });
    if (query.until !== undefined) builder.andWhere('d.created_at < :until', { until: query.until });
    if (position !== null) {
      const [id] = position as [string];
      const at = idTime(id);
      if (at === null)
        throw new DomainError('invalid_cursor', 'The cursor is not one this list has given out');
      builder.andWhere('(d.created_at, d.id) < (:at, :id)', { at, id });
    }
    const rows = await builder
      .orderBy('d.created_at', 'DESC')
      .addOrderBy('d.id', 'DESC')
      .take(limit + 1)
      .getMany();
    const page = Page.of(rows, limit, (row) => [row.id]);
    const duplicates = await this.duplicates(page.items);
    return page.map((row) => toDto(row, duplicates.get(row.id) ?? 0));
  }

  /**
   * One delivery whole, with its body.
   * @throws DomainError `delivery_not_found`
   */
  async find(webhook_id: string, delivery_id: string): Promise<{ row: Delivery; dto: DeliveryDto }> {
    const created_at = idTime(delivery_id);
    const row =
      created_at === null
        ? null
        : await this.db.getRepository(Delivery).findOneBy({ id: delivery_id, created_at, webhook_id });
    if (row === null) throw new DomainError('delivery_not_found', 'Delivery not found');
    return { row, dto: toDto(row, (await this.duplicates([row])).get(row.id) ?? 0) };
  }

  /** When each webhook last received anything. */
  async lastReceived(webhook_ids: string[]): Promise<Map<string, Date>> {
    if (webhook_ids.length === 0) return new Map();
    const rows = await this.db.query<{ webhook_id: string; created_at: Date }[]>(
      `SELECT w.webhook_id, d.created_at FROM unnest($1::uuid[]) AS w(webhook_id)
       CROSS JOIN LATERAL (SELECT created_at FROM deliveries WHERE webhook_id = w.webhook_id
                           ORDER BY created_at DESC LIMIT 1) AS d`,
      [webhook_ids],
    );
    return new Map(rows.map((row) => [row.webhook_id, row.created_at]));
  }

  /** What became of the deliveries with these GUIDs, of those that arrived; of one whose row is gone, that it was processed. */
  async outcomes(
    webhook_id: string,
    guids: string[],
  ): Promise<Map<string, Pick<Delivery, 'status' | 'reason'>>> {
    const keys = await this.db
      .getRepository(DeliveryKey)
      .createQueryBuilder('k')
      .where('k.webhook_id = :webhook_id AND k.guid = ANY(:guids)', { webhook_id, guids })
      .getMany();
    const rows = await this.db.query<Pick<Delivery, 'id' | 'status' | 'reason'>[]>(
      `SELECT d.id, d.status, d.reason FROM unnest($1::uuid[], $2::timestamptz[]) AS w(id, created_at)
       JOIN deliveries d ON d.id = w.id AND d.created_at = w.created_at`,
      [keys.map((key) => key.delivery_id), keys.map((key) => idTime(key.delivery_id))],
    );
    const found = new Map(rows.map(({ id, status, reason }) => [id, { status, reason }]));
    return new Map(
      keys.map((key) => [key.guid, found.get(key.delivery_id) ?? { status: 'processed', reason: null }]),
    );
  }

  private async duplicates(rows: Delivery[]): Promise<Map<string, number>> {
    if (rows.length === 0) return new Map();
    const keys = await this.db
      .getRepository(DeliveryKey)
      .createQueryBuilder('k')
      .where('k.webhook_id = :webhook_id', { webhook_id: rows[0]?.webhook_id })
      .andWhere('k.guid = ANY(:guids)', { guids: rows.map((row) => row.guid) })
      .getMany();
    return new Map(keys.map((key) => [key.delivery_id, key.duplicates]));
  }
}

const SUMMARY_COLUMNS = [
  'id',
  'webhook_id',
  'guid',
  'event_type',
  'status',
  'reason',
  'error',
  'payload_summary',
  'actions',
  'task_id',
  'attempts',
  'body_size',
  'correlation_id',
  'created_at',
  'processed_at',
] as const satisfies (keyof Delivery)[];

const toDto = (row: Delivery, duplicates: number): DeliveryDto => ({
  ...(Object.fromEntries(SUMMARY_COLUMNS.map((column) => [column, row[column]])) as Pick<
    Delivery,
    (typeof SUMMARY_COLUMNS)[number]
  >),
  duplicates,
});
