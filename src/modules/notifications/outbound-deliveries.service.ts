import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { OUTBOUND_CHANNEL } from '../../database/channels.js';
import { DomainError, validationFailed } from '../../errors/domain-error.js';
import { decodeCursor, invalidCursor, Page } from '../../http/pagination.js';
import { type Identity } from '../auth/identity.js';
import { OutboundAttempt } from './outbound-attempt.entity.js';
import {
  type OutboundAttemptDto,
  type OutboundDeliveriesQuery,
  type OutboundDeliveryDetailDto,
  type OutboundDeliveryDto,
  RECOVERABLE,
  type RecoverDto,
  type RecoveredDto,
} from './outbound-delivery.dto.js';
import { OutboundDelivery } from './outbound-delivery.entity.js';
import { type OutboundWebhook } from './outbound-webhook.entity.js';
import { OutboundWebhooks } from './outbound-webhooks.service.js';

const DEFAULT_LIMIT = 50;
const MAX_ATTEMPTS_SHOWN = 100;
const MAX_WINDOW_DAYS = 14;
const DAY_MS = 86_400_000;
const RECOVERED_AT_ONCE = 10_000;

/** The log of what outside systems were told, and sending some of it again. */
@Injectable()
export class OutboundDeliveries {
  constructor(
    private readonly db: DataSource,
    private readonly webhooks: OutboundWebhooks,
  ) {}

  async list(
    identity: Identity,
    webhook_id: string,
    query: OutboundDeliveriesQuery,
  ): Promise<Page<OutboundDeliveryDto>> {
    await this.webhooks.find(identity, webhook_id);
    const limit = query.limit ?? DEFAULT_LIMIT;
    const rows = this.db
      .getRepository(OutboundDelivery)
      .createQueryBuilder('d')
      .where('d.webhook_id = :webhook_id', { webhook_id });
    for (const field of ['status', 'event', 'task_id'] as const)
      if (query[field] !== undefined) rows.andWhere(`d.${field} = :${field}`, { [field]: query[field] });
    if (query.since !== undefined) rows.andWhere('d.created_at >= :since', { since: query.since });
    if (query.until !== undefined) rows.andWhere('d.created_at < :until', { until: query.until });
    const [before] = decodeCursor(query.cursor, 1) ?? [];
    if (before !== undefined) {
      if (!Number.isSafeInteger(before)) throw invalidCursor();
      rows.andWhere('d.position < :before', { before });
    }
    const found = await rows
      .orderBy('d.position', 'DESC')
      .take(limit + 1)
      .getMany();
    return Page.of(found, limit, ({ position }) => [position]).map(toDto);
  }

  async get(identity: Identity, webhook_id: string, id: string): Promise<OutboundDeliveryDetailDto> {
    await this.webhooks.find(identity, webhook_id);
    return this.detail(await this.find(this.db.manager, webhook_id, id));
  }

  /** With its bytes and attempts. */
  async detail(row: OutboundDelivery): Promise<OutboundDeliveryDetailDto> {
    const attempts = await this.db.getRepository(OutboundAttempt).find({
      where: { delivery_position: row.position },
      order: { attempt: 'DESC' },
      take: MAX_ATTEMPTS_SHOWN,
    });
    return {
      ...toDto(row),
      body: row.body,
      attempt_log: attempts.toReversed().map(toAttemptDto),
    };
  }

  /**
   * One attempt more, now. Of a delivery that waits it is the next one of its schedule; what was over gets this one only.
   * @throws DomainError `outbound_webhook_disabled`, or `outbound_delivery_unfinished` when it is just being sent or an
   * earlier one of its task goes first.
   */
  async retry(identity: Identity, webhook_id: string, id: string): Promise<OutboundDeliveryDto> {
    assertActive(await this.webhooks.managed(identity, webhook_id));
    return this.db.transaction(async (manager) => {
      await this.find(manager, webhook_id, id);
      const [rows] = await manager.query<[unknown[], number]>(
        `UPDATE outbound_deliveries SET manual = finished_at IS NOT NULL, status = 'pending', due_at = clock_timestamp(),
           finished_at = NULL
         WHERE id = $1 AND webhook_id = $2 AND status NOT IN ('delivering', 'queued') RETURNING id`,
        [id, webhook_id],
      );
      if (rows.length === 0)
        throw new DomainError(
          'outbound_delivery_unfinished',
          'The delivery is being sent, or waits for an earlier one of its task',
        );
      await notify(manager);
      return toDto(await this.find(manager, webhook_id, id));
    });
  }

  /** @throws DomainError `outbound_webhook_disabled`, `validation_failed` for a window that is too long. */
  async recover(identity: Identity, webhook_id: string, given: RecoverDto): Promise<RecoveredDto> {
    assertActive(await this.webhooks.managed(identity, webhook_id));
    const until = given.until ?? new Date();
    if (until.getTime() - given.since.getTime() > MAX_WINDOW_DAYS * DAY_MS || until < given.since)
      throw validationFailed([
        { field: 'since', message: `must be at most ${MAX_WINDOW_DAYS} days before until` },
      ]);
    return this.db.transaction(async (manager) => {
      const [, recovered] = await manager.query<[unknown[], number]>(
        `UPDATE outbound_deliveries SET status = 'pending', due_at = clock_timestamp(), failures = 0, manual = false,
           error = NULL, finished_at = NULL
         WHERE position IN (
           SELECT position FROM outbound_deliveries
           WHERE webhook_id = $1 AND created_at >= $2 AND created_at < $3 AND status = ANY($4)
             AND event <> 'webhook.test'
           ORDER BY position LIMIT ${RECOVERED_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
        [webhook_id, given.since, until, given.status?.length ? given.status : [...RECOVERABLE]],
      );
      if (recovered > 0) await notify(manager);
      return { recovered, more: recovered === RECOVERED_AT_ONCE };
    });
  }

  private async find(manager: EntityManager, webhook_id: string, id: string): Promise<OutboundDelivery> {
    const row = await manager.findOneBy(OutboundDelivery, { id, webhook_id });
    if (row === null) throw new DomainError('outbound_delivery_not_found', 'Outbound delivery not found');
    return row;
  }
}

const notify = (manager: EntityManager): Promise<unknown> =>
  manager.query(`SELECT pg_notify($1, '')`, [OUTBOUND_CHANNEL]);

function assertActive({ active }: OutboundWebhook): void {
  if (!active)
    throw new DomainError('outbound_webhook_disabled', 'The outbound webhook is disabled: enable it first');
}

const toDto = (row: OutboundDelivery): OutboundDeliveryDto => ({
  id: row.id,
  webhook_id: row.webhook_id,
  event: row.event,
  team_id: row.team_id,
  task_id: row.task_id,
  sequence: row.sequence,
  status: row.status,
  attempts: row.attempts,
  next_attempt_at: row.status === 'pending' ? row.due_at : null,
  response_status: row.response_status,
  error: row.error,
  correlation_id: row.correlation_id,
  created_at: row.created_at,
  finished_at: row.finished_at,
});

const toAttemptDto = (row: OutboundAttempt): OutboundAttemptDto => ({
  attempt: row.attempt,
  outcome: row.outcome,
  started_at: row.started_at,
  duration_ms: row.duration_ms,
  response_status: row.response_status,
  response_body: row.response_body,
  response_truncated: row.response_truncated,
  error: row.error,
  detail: row.detail,
  retry_at: row.retry_at,
});
