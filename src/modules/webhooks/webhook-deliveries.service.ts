import { Injectable } from '@nestjs/common';
import { DomainError } from '../../errors/domain-error.js';
import { type Page } from '../../http/pagination.js';
import { type Identity } from '../auth/identity.js';
import { assertMayManage } from '../auth/permissions.js';
import { packBody, unpackBody } from '../deliveries/body-codec.facade.js';
import { DeliveryExplanation } from '../deliveries/delivery-explanation.service.js';
import { DeliveryLog } from '../deliveries/delivery-log.service.js';
import {
  type DeliveriesQuery,
  type DeliveryDetailDto,
  type DeliveryDto,
} from '../deliveries/delivery.dto.js';
import { type Delivery } from '../deliveries/delivery.entity.js';
import { type ExplanationDto } from '../deliveries/explanation.dto.js';
import { type ReceiveAnswerDto } from './receive/receive.dto.js';
import { DeliveryBatcher } from './receive/delivery-batcher.js';
import { judgeDelivery } from './receive/judge-delivery.js';
import { mediaType, parsePayload } from './receive/parse-payload.js';
import { type Received } from './receive/received.js';
import { isValid } from './receive/verify-signature.js';
import { WebhookCache } from './receive/webhook-cache.js';
import { WebhooksService } from './webhooks.service.js';

const REPLAY_PATIENCE_MS = 20_000;

/** A webhook's deliveries as its organization sees them. */
@Injectable()
export class WebhookDeliveriesService {
  constructor(
    private readonly webhooks: WebhooksService,
    private readonly cache: WebhookCache,
    private readonly log: DeliveryLog,
    private readonly explanation: DeliveryExplanation,
    private readonly batcher: DeliveryBatcher,
  ) {}

  async list(identity: Identity, webhook_id: string, query: DeliveriesQuery): Promise<Page<DeliveryDto>> {
    await this.webhooks.find(identity, webhook_id);
    return this.log.page(webhook_id, query);
  }

  async get(identity: Identity, webhook_id: string, delivery_id: string): Promise<DeliveryDetailDto> {
    await this.webhooks.find(identity, webhook_id);
    const { row, dto } = await this.log.find(webhook_id, delivery_id);
    const body = await unpackBody(row.body);
    return {
      ...dto,
      payload: readable(body, row.headers['content-type']),
      payload_truncated: body.length < row.body_size,
      headers: row.headers,
    };
  }

  /**
   * Runs the stored bytes through the same steps with the webhook as it is now. What was processed before has no
   * second effect: its issue has its task.
   */
  async replay(identity: Identity, webhook_id: string, delivery_id: string): Promise<ReceiveAnswerDto> {
    const { org_id } = await this.webhooks.find(identity, webhook_id);
    assertMayManage(identity, org_id);
    const { row } = await this.log.find(webhook_id, delivery_id);
    const body = await this.replayable(row);
    const webhook = await this.cache.reload(webhook_id);
    if (webhook === null) throw new DomainError('webhook_not_found', 'Webhook not found');
    const received: Received = {
      webhook,
      delivery_id,
      correlation_id: row.correlation_id,
      created_at: row.created_at,
      headers: row.headers,
      signature: { sha256: undefined, sha1: undefined },
      verdict: row.decision.signature ?? 'valid',
      body_size: row.body_size,
      body_sha256: row.body_sha256,
    };
    const judgement = judgeDelivery(received, body);
    const packed = await packBody(body);
    const result = await this.batcher.submit(
      { received, packed, purpose: 'replay', judgement },
      REPLAY_PATIENCE_MS,
    );
    if ('failure' in result) throw result.failure;
    return result.answer;
  }

  async explain(identity: Identity, webhook_id: string, delivery_id: string): Promise<ExplanationDto> {
    await this.webhooks.find(identity, webhook_id);
    const { row } = await this.log.find(webhook_id, delivery_id);
    return this.explanation.of(row);
  }

  private replayable(row: Delivery): Promise<Buffer> {
    const { signature } = row.decision;
    if (signature === undefined || !isValid(signature))
      throw new DomainError(
        'delivery_not_replayable',
        'The delivery was refused for its signature and cannot be replayed',
      );
    return unpackBody(row.body);
  }
}

/** A body as a person or program reads it; what is not JSON comes as text. */
function readable(body: Buffer, contentType: string | undefined): unknown {
  try {
    return parsePayload(body, mediaType(contentType) ?? 'json');
  } catch {
    return body.toString('utf8');
  }
}
