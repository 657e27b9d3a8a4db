import { Injectable, Logger } from '@nestjs/common';
import { OutboundError } from '../../../http-client/outbound-error.js';
import { type OutboundAnswer, OutboundHttp } from '../../../http-client/outbound-http.js';
import { signRequest } from '../../../http-client/sign-request.js';
import { OutboundSecrets } from '../outbound-secrets.js';
import { type ClaimedDelivery, type Receiver } from './claim-deliveries.js';
import { judgeAttempt, type Verdict } from './judge-attempt.js';

/** One attempt, made: what came back and what follows from it. */
export interface Attempt {
  delivery: ClaimedDelivery;
  started_at: Date;
  duration_ms: number;
  answer: OutboundAnswer | null;
  verdict: Verdict;
}

export interface SendOptions {
  timeout_ms: number;
  signal?: AbortSignal;
}

/** Sends the stored bytes, signed as they are; one attempt. */
@Injectable()
export class SendDelivery {
  private readonly logger = new Logger(SendDelivery.name);

  constructor(
    private readonly http: OutboundHttp,
    private readonly secrets: OutboundSecrets,
  ) {}

  /** Fails only when `signal` gave it up: then nothing is known of it. */
  async send(delivery: ClaimedDelivery, receiver: Receiver, options: SendOptions): Promise<Attempt> {
    const started_at = new Date();
    const began = performance.now();
    const result = await this.call(delivery, receiver, options).catch((error: unknown) => {
      if (options.signal?.aborted === true) throw error;
      if (error instanceof OutboundError) return error;
      // A secret that does not open, for example: on the schedule like any failure, not over and over.
      this.logger.error({ err: error, delivery_id: delivery.id }, 'a notification could not be sent');
      return new OutboundError('internal', 'The service could not make the call; its log says why');
    });
    return {
      delivery,
      started_at,
      duration_ms: Math.round(performance.now() - began),
      answer: result instanceof OutboundError ? null : result,
      verdict: judgeAttempt(result, delivery, new Date()),
    };
  }

  private async call(
    delivery: ClaimedDelivery,
    receiver: Receiver,
    options: SendOptions,
  ): Promise<OutboundAnswer> {
    const body = Buffer.from(delivery.body);
    const headers = this.headers(delivery, receiver, body);
    return this.http.post(receiver.url, headers, body, { ...options, keep_alive: true });
  }

  private headers(delivery: ClaimedDelivery, receiver: Receiver, body: Buffer): Record<string, string> {
    const now = new Date();
    const keys = this.secrets.open(receiver, now);
    const signed = signRequest(
      {
        id: delivery.id,
        event: delivery.event,
        attempt: delivery.attempts,
        body,
        timestamp: Math.floor(now.getTime() / 1000),
      },
      keys.secret,
      keys.previous,
    );
    return {
      'content-type': 'application/json',
      ...signed,
      ...(keys.api_key === null ? {} : { 'x-api-key': keys.api_key }),
    };
  }
}
