import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { type Identity } from '../auth/identity.js';
import { OutboundDeliveries } from './outbound-deliveries.service.js';
import { type OutboundTestDto } from './outbound-delivery.dto.js';
import { OutboundDelivery } from './outbound-delivery.entity.js';
import { TEST_EVENT } from './outbound-events.js';
import { type OutboundWebhook } from './outbound-webhook.entity.js';
import { OutboundWebhooks } from './outbound-webhooks.service.js';
import { RecordAttempts } from './sending/record-attempts.js';
import { SendDelivery } from './sending/send-delivery.js';

const TIMEOUT_MS = 15_000;
/** Longer than the attempt and its record can take: no notifier ever claims it. */
const LEASE_SECONDS = 120;

/** Tries a webhook out, also a disabled one: one attempt, logged like any other, with its result as the answer. */
@Injectable()
export class OutboundTest {
  constructor(
    private readonly db: DataSource,
    private readonly webhooks: OutboundWebhooks,
    private readonly deliveries: OutboundDeliveries,
    private readonly sender: SendDelivery,
    private readonly records: RecordAttempts,
  ) {}

  async send(identity: Identity, webhook_id: string): Promise<OutboundTestDto> {
    const webhook = await this.webhooks.managed(identity, webhook_id);
    const row = await this.insert(webhook);
    const claimed = { ...row, claim_id: row.claim_id ?? '' };
    const attempt = await this.sender.send(claimed, webhook, { timeout_ms: TIMEOUT_MS });
    await this.records.record([attempt]);
    const detail = await this.deliveries.get(identity, webhook_id, row.id);
    return { ...detail, ok: attempt.verdict.outcome === 'succeeded' };
  }

  private async insert({ id: webhook_id, org_id, team_id }: OutboundWebhook): Promise<OutboundDelivery> {
    const id = newId();
    await this.db.query(
      `INSERT INTO outbound_deliveries (id, webhook_id, org_id, team_id, event, body, correlation_id, status, claim_id,
         attempts, manual, due_at)
       VALUES ($1, $2, $3, $4, $5,
         outbound_body($5, NULL, $4, now(), NULL, json_build_object('webhook_id', $2::uuid, 'org_id', $3::uuid)),
         $1, 'delivering', $6, 1, true, clock_timestamp() + make_interval(secs => $7))`,
      [id, webhook_id, org_id, team_id, TEST_EVENT, newId(), LEASE_SECONDS],
    );
    return this.db.getRepository(OutboundDelivery).findOneByOrFail({ id });
  }
}
