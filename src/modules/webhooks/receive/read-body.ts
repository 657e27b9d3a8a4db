import { type IncomingMessage } from 'node:http';
import { DomainError } from '../../../errors/domain-error.js';
import { type ByteBudget } from './byte-budget.js';

export interface ReadLimits {
  max_bytes: number;
  /** For the whole body. */
  total_ms: number;
  /** Between two pieces of it. */
  idle_ms: number;
}

/** 25 MiB is what GitHub sends at the most; it gives up on its side after ten seconds. */
export const READ_LIMITS: ReadLimits = { max_bytes: 25 * 1024 * 1024, total_ms: 30_000, idle_ms: 10_000 };

type RefusalCode = 'payload_too_large' | 'request_timeout' | 'service_unavailable' | 'bad_request';

/** A body that was not read to its end. `read` is what had come until then. */
export class BodyRefused extends DomainError {
  constructor(
    code: RefusalCode,
    detail: string,
    readonly read: { size: number; prefix: Buffer },
    headers: Record<string, string> = {},
  ) {
    super(code, detail, { headers });
  }
}

/**
 * Collects a request's body, giving each piece to `feed` as it comes.
 * @throws BodyRefused when it is too long, too slow, cut off, or there is no memory for it. Nothing more is read then.
 */
export function readBody(
  request: IncomingMessage,
  budget: ByteBudget,
  feed: (chunk: Buffer) => void,
  limits: ReadLimits = READ_LIMITS,
): Promise<{ body: Buffer; release: () => void }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const share = budget.open();
    let size = 0;
    const stop = (): void => {
      clearTimeout(total);
      clearTimeout(idle);
      request.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
    };
    const refuse = (code: RefusalCode, detail: string, headers?: Record<string, string>): void => {
      stop();
      request.pause();
      share.release();
      const prefix = Buffer.concat(chunks.slice(0, 8)).subarray(0, 4096);
      reject(new BodyRefused(code, detail, { size, prefix }, headers));
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limits.max_bytes) {
        refuse('payload_too_large', `The body is larger than ${limits.max_bytes} bytes`);
        return;
      }
      if (!share.take(chunk.length)) {
        refuse('service_unavailable', 'Too many large bodies at once; try again soon', {
          'Retry-After': '2',
        });
        return;
      }
      chunks.push(chunk);
      feed(chunk);
      idle.refresh();
    };
    const onEnd = (): void => {
      stop();
      resolve({
        body: chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks),
        release: () => share.release(),
      });
    };
    const onCut = (): void => refuse('bad_request', 'The body was cut off');
    const late = (): void => refuse('request_timeout', 'The body did not arrive in time');
    const total = setTimeout(late, limits.total_ms);
    const idle = setTimeout(late, limits.idle_ms);
    if (Number(request.headers['content-length'] ?? 0) > limits.max_bytes) {
      refuse('payload_too_large', `The body is larger than ${limits.max_bytes} bytes`);
      return;
    }
    if (request.destroyed || request.readableEnded) {
      onCut();
      return;
    }
    request.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  });
}
