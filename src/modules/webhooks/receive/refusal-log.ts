import { Injectable, Logger } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { idTime, newId } from '../../../database/new-id.js';
import { packBody } from '../../deliveries/body-codec.facade.js';
import { type SignatureVerdict } from '../../deliveries/delivery-decision.js';
import { DeliveryBatcher } from './delivery-batcher.js';
import { RefusalLimits } from './refusal-limits.js';
import { type LoadedWebhook } from './webhook-cache.js';

const KEPT_BYTES = 4_096;
/** The answer waits for the log no longer than this. */
const PATIENCE_MS = 1_000;

export interface Refusal {
  /** Stable code. */
  reason: string;
  error: string | null;
  verdict: SignatureVerdict;
  headers: Record<string, string>;
  body: Buffer;
  body_size: number;
  sha256?: Buffer;
  warnings?: string[];
}

/** Writes down requests that are refused, up to a number for each webhook and minute; the rest is only counted. */
@Injectable()
export class RefusalLog {
  private readonly logger = new Logger(RefusalLog.name);

  constructor(
    private readonly batcher: DeliveryBatcher,
    private readonly limits: RefusalLimits,
  ) {}

  /** Never fails: the refusal stands, written down or not. */
  async write(webhook: LoadedWebhook, refusal: Refusal): Promise<void> {
    if (!this.limits.mayLog(webhook.id)) return;
    try {
      const delivery_id = newId();
      const kept = refusal.body.subarray(0, KEPT_BYTES);
      await this.batcher.submit(
        {
          purpose: 'refusal',
          judgement: null,
          packed: await packBody(kept),
          refused: { reason: refusal.reason, error: refusal.error, warnings: refusal.warnings ?? [] },
          received: {
            webhook,
            delivery_id,
            correlation_id: newId(),
            created_at: idTime(delivery_id) ?? new Date(),
            headers: refusal.headers,
            signature: { sha256: undefined, sha1: undefined },
            verdict: refusal.verdict,
            body_size: refusal.body_size,
            body_sha256: refusal.sha256 ?? createHash('sha256').update(kept).digest(),
          },
        },
        PATIENCE_MS,
      );
    } catch (error) {
      this.logger.warn({ err: error, webhook_id: webhook.id }, 'a refused delivery was not logged');
    }
  }
}
