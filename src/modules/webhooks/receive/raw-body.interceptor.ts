import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { createHash } from 'node:crypto';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { DomainError } from '../../../errors/domain-error.js';
import { Metrics } from '../../../metrics/metrics.js';
import { type ReceiveAnswerDto } from './receive.dto.js';
import { ByteBudget } from './byte-budget.js';
import { BodyRefused, readBody } from './read-body.js';
import { RefusalLimits } from './refusal-limits.js';
import { RefusalLog } from './refusal-log.js';
import { keptHeaders } from './received.js';
import { SignatureCheck } from './verify-signature.js';
import { type LoadedWebhook, WebhookCache } from './webhook-cache.js';
import { DATABASE_PATIENCE_MS, withPatience } from './with-patience.js';

const MAX_ORDINARY_BYTES = 96 * 1024 * 1024;
const MAX_LARGE_BYTES = 160 * 1024 * 1024;
/** How long what a refused sender still sends is thrown away, so that it can read the answer before the connection ends. */
const LINGER_MS = 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Belongs to no webhook: asked for in place of what is no uuid, so that both take the same work. */
const NOBODY = '00000000-0000-7000-8000-000000000000';
const UNKNOWN = 'unknown';

/** A request whose body was read and hashed as it came. */
export interface RawRequest extends Request {
  raw: {
    /** Null when there is no such webhook. */
    webhook: LoadedWebhook | null;
    /** Under which refusals of this request are counted. */
    refusal_key: string;
    body: Buffer;
    sha256: Buffer;
    check: SignatureCheck;
    /** Milliseconds that the database may still take. */
    patience: number;
  };
}

/** Reads the body of a delivery byte for byte, feeding hash and signatures while it streams, within fixed bounds. */
@Injectable()
export class RawBodyInterceptor implements NestInterceptor {
  private readonly budget = new ByteBudget(MAX_ORDINARY_BYTES, MAX_LARGE_BYTES);

  constructor(
    private readonly webhooks: WebhookCache,
    private readonly limits: RefusalLimits,
    private readonly refusals: RefusalLog,
    private readonly metrics: Metrics,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler<ReceiveAnswerDto>): Observable<ReceiveAnswerDto> {
    const http = context.switchToHttp();
    const request = http.getRequest<RawRequest>();
    const id = String(request.params['webhook_id']);
    return from(this.around(request, http.getResponse<Response>(), id, () => lastValueFrom(next.handle())));
  }

  /** Has `handle` answer the request once its body is there. */
  async around(
    request: RawRequest,
    response: Response,
    webhook_id: string,
    handle: () => Promise<ReceiveAnswerDto>,
  ): Promise<ReceiveAnswerDto> {
    const done = this.metrics.time('receive');
    let release = (): void => undefined;
    try {
      release = await this.read(request, response, webhook_id);
      const answer = await handle();
      this.metrics.countDelivery(answer.status);
      return answer;
    } catch (error) {
      this.metrics.countDelivery(resultOf(error));
      throw error;
    } finally {
      release();
      done();
    }
  }

  private async read(request: RawRequest, response: Response, given: string): Promise<() => void> {
    const id = UUID.test(given) ? given.toLowerCase() : NOBODY;
    const address = request.ip ?? '';
    const began = performance.now();
    try {
      this.holdBack(address, id);
      const webhook =
        this.webhooks.remembered(id) ?? (await withPatience(this.webhooks.reload(id), DATABASE_PATIENCE_MS));
      const refusal_key = webhook?.id ?? UNKNOWN;
      if (webhook === null) this.holdBack(address, UNKNOWN);
      const patience = DATABASE_PATIENCE_MS - (performance.now() - began);
      const check = new SignatureCheck(webhook?.keys ?? null, Date.now());
      const hash = createHash('sha256');
      const { body, release } = await readBody(request, this.budget, (chunk) => {
        hash.update(chunk);
        check.update(chunk);
      }).catch((error: unknown) => this.noteRefused(error, request, webhook, address));
      request.raw = { webhook, refusal_key, body, sha256: hash.digest(), check, patience };
      return release;
    } catch (error) {
      linger(request, response);
      throw error;
    }
  }

  private holdBack(address: string, key: string): void {
    const seconds = this.limits.retryAfter(address, key);
    if (seconds > 0)
      throw new DomainError('rate_limited', 'Too many requests that do not verify. Try again later.', {
        headers: { 'Retry-After': String(seconds) },
      });
  }

  private async noteRefused(
    error: unknown,
    request: Request,
    webhook: LoadedWebhook | null,
    address: string,
  ): Promise<never> {
    if (error instanceof BodyRefused && error.code === 'payload_too_large') {
      this.limits.note(address, webhook?.id ?? UNKNOWN);
      if (webhook !== null)
        await this.refusals.write(webhook, {
          reason: 'body_too_large',
          error: error.detail,
          verdict: request.headers['x-hub-signature-256'] === undefined ? 'missing' : 'mismatch',
          headers: keptHeaders(request.headers),
          body: error.read.prefix,
          body_size: Math.max(error.read.size, Number(request.headers['content-length']) || 0),
        });
    }
    throw error;
  }
}

/** Metric label of each failure that is not the delivery's own. */
const RESULTS: Partial<Record<string, string>> = {
  invalid_signature: 'refused',
  webhook_not_found: 'refused',
  rate_limited: 'refused',
  service_unavailable: 'unavailable',
};

const resultOf = (error: unknown): string =>
  (error instanceof DomainError ? RESULTS[error.code] : undefined) ?? 'failed';

/** Ends the connection of a request whose body is not read, after giving the sender time to read the answer. */
function linger(request: Request, response: Response): void {
  const close = (): void => {
    if (request.readableEnded || request.socket.destroyed) return;
    request.resume();
    const timer = setTimeout(() => request.socket.destroy(), LINGER_MS).unref();
    request.once('end', () => clearTimeout(timer));
    request.socket.once('close', () => clearTimeout(timer));
  };
  response.once('finish', close);
}
