import { Injectable } from '@nestjs/common';
import { idTime, newId } from '../../../database/new-id.js';
import { correlate } from '../../../http/request-context.js';
import { packBody } from '../../deliveries/body-codec.facade.js';
import { noSuchWebhook, notSigned } from './batch-item.js';
import { type ReceiveAnswerDto } from './receive.dto.js';
import { DeliveryBatcher } from './delivery-batcher.js';
import { judgeDelivery } from './judge-delivery.js';
import { type RawRequest } from './raw-body.interceptor.js';
import { keptHeaders, type Received } from './received.js';
import { RefusalLimits } from './refusal-limits.js';
import { refusalOf } from './refusal-of.js';
import { RefusalLog } from './refusal-log.js';
import { isValid, verifySignature } from './verify-signature.js';
import { isOutdated, type LoadedWebhook, WebhookCache } from './webhook-cache.js';
import { withPatience } from './with-patience.js';

/** Takes a delivery whose body has been read: verifies, judges, and answers once everything is durable. */
@Injectable()
export class ReceiveService {
  constructor(
    private readonly webhooks: WebhookCache,
    private readonly batcher: DeliveryBatcher,
    private readonly limits: RefusalLimits,
    private readonly refusals: RefusalLog,
  ) {}

  /** @throws DomainError `webhook_not_found`, `invalid_signature`, or what the delivery is refused for */
  async receive(request: RawRequest): Promise<ReceiveAnswerDto> {
    const { raw } = request;
    const sha256 = request.get('x-hub-signature-256');
    const sha1 = request.get('x-hub-signature');
    const verdict = raw.check.verdict(sha256, sha1);
    if (raw.webhook === null) {
      this.limits.note(request.ip ?? '', raw.refusal_key);
      throw noSuchWebhook();
    }
    const delivery_id = newId();
    const created_at = idTime(delivery_id) ?? new Date();
    const received: Received = {
      webhook: raw.webhook,
      delivery_id,
      correlation_id: newId(),
      created_at,
      headers: keptHeaders(request.headers),
      signature: { sha256, sha1 },
      verdict,
      body_size: raw.body.length,
      body_sha256: raw.sha256,
    };
    const began = performance.now();
    if (verdict === 'mismatch' || verdict === 'no_secret')
      await this.verifyAnew(received, raw.webhook, raw.body, raw.patience);
    // What is the database's to use: parsing and packing a large body takes its own time.
    const patience = raw.patience - (performance.now() - began);
    if (!isValid(received.verdict)) return this.refuse(request, received);
    correlate(received.correlation_id);
    const judgement = judgeDelivery(received, raw.body);
    const result = await this.batcher.submit(
      { received, packed: await packBody(raw.body), purpose: 'receive', judgement },
      patience,
    );
    if ('failure' in result) throw result.failure;
    return result.answer;
  }

  /** The webhook may have got a new secret since this process last looked. */
  private async verifyAnew(
    received: Received,
    used: LoadedWebhook,
    body: Buffer,
    patience: number,
  ): Promise<void> {
    const fresh = await withPatience(this.webhooks.reload(used.id), patience);
    if (fresh === null) throw noSuchWebhook();
    if (!isOutdated(used, fresh)) return;
    const { sha256, sha1 } = received.signature;
    received.webhook = fresh;
    received.verdict = verifySignature(fresh, body, sha256, sha1, received.created_at.getTime());
  }

  private async refuse(request: RawRequest, received: Received): Promise<never> {
    const { webhook, verdict } = received;
    if (verdict === 'valid' || verdict === 'valid_previous')
      throw new Error('a valid signature is not refused');
    this.limits.note(request.ip ?? '', webhook.id);
    await this.refusals.write(webhook, {
      ...refusalOf(received, verdict, request.raw.body),
      verdict,
      headers: received.headers,
      body: request.raw.body,
      body_size: received.body_size,
      sha256: received.body_sha256,
    });
    throw notSigned();
  }
}
