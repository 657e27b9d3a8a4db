import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { idTime } from '../../database/new-id.js';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { DeliveryKey } from './delivery-key.entity.js';
import { Delivery } from './delivery.entity.js';
import { type DeliveriesQuery, type DeliveryDto, MAX_DELIVERIES_PAGE } from './delivery.dto.js';
import { guidKey } from './guid-key.js';

const DEFAULT_LIMIT = 50;

/** The log of deliveries, to read. Whether the caller reaches the webhook is the caller's question. */
@Injectable()
export class DeliveryLog {
  constructor(private readonly db: DataSource) {}

  async page(webhook_id: string, query: DeliveriesQuery): Promise<Page<DeliveryDto>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const [id] = (decodeCursor(query.cursor, 1) ?? [null]) as [string | null];
    const at = id === null ? null : idTime(id);
    if (id !== null && at === null)
      throw new DomainError('invalid_cursor', 'The cursor is not one this list has given out');
    const event = query.event === '*' ? undefined : query.event?.replace(/\.\*$/, '');
    const rows = await preparedBy<Summary>(this.db.manager, PAGE, [
      webhook_id,
      query.status,
      event,
      query.since,
      query.until,
      at,
      id,
      limit + 1,
    ]);
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
    const guidOf = new Map(guids.map((guid) => [guidKey(guid), guid]));
    const keys = await this.db
      .getRepository(DeliveryKey)
      .createQueryBuilder('k')
      .where('k.webhook_id = :webhook_id AND k.guid = ANY(:keys)', { webhook_id, keys: [...guidOf.keys()] })
      .getMany();
    const rows = await this.db.query<Pick<Delivery, 'id' | 'status' | 'reason'>[]>(
      `SELECT d.id, d.status, d.reason FROM unnest($1::uuid[], $2::timestamptz[]) AS w(id, created_at)
       JOIN deliveries d ON d.id = w.id AND d.created_at = w.created_at`,
      [keys.map((key) => key.delivery_id), keys.map((key) => idTime(key.delivery_id))],
    );
    const found = new Map(rows.map(({ id, status, reason }) => [id, { status, reason }]));
    return new Map(
      keys.map((key) => [
        guidOf.get(key.guid) ?? key.guid,
        found.get(key.delivery_id) ?? { status: 'processed', reason: null },
      ]),
    );
  }

  private async duplicates(rows: Summary[]): Promise<Map<string, number>> {
    const [first] = rows;
    if (first === undefined) return new Map();
    const keys = await preparedBy<Pick<DeliveryKey, 'delivery_id' | 'duplicates'>>(
      this.db.manager,
      DUPLICATES,
      [first.webhook_id, rows.map((row) => guidKey(row.guid))],
    );
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

type Summary = Pick<Delivery, (typeof SUMMARY_COLUMNS)[number]>;

/**
 * Planned once: planning takes longer than reading a page, the more so the more partitions there are. The inner LIMIT
 * tells the planner that few rows are wanted; a parameter would not.
 */
const PAGE: PreparedStatement = {
  name: 'deliveries_page',
  text: `SELECT * FROM (
    SELECT ${SUMMARY_COLUMNS.join(', ')} FROM deliveries
    WHERE webhook_id = $1 AND ($2::text IS NULL OR status = $2)
      AND ($3::text IS NULL OR event_type = $3 OR starts_with(event_type, $3 || '.'))
      AND created_at >= coalesce($4::timestamptz, '-infinity') AND created_at < coalesce($5::timestamptz, 'infinity')
      AND created_at <= coalesce($6::timestamptz, 'infinity')
      AND (created_at, id) < (coalesce($6, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY created_at DESC, id DESC LIMIT ${MAX_DELIVERIES_PAGE + 1}
  ) AS page LIMIT $8`,
};

const DUPLICATES: PreparedStatement = {
  name: 'deliveries_duplicates',
  text: `SELECT delivery_id, duplicates FROM delivery_keys WHERE webhook_id = $1 AND guid = ANY($2::text[])`,
};

const toDto = (row: Summary, duplicates: number): DeliveryDto => ({
  ...(Object.fromEntries(SUMMARY_COLUMNS.map((column) => [column, row[column]])) as Summary),
  duplicates,
});
