import { createHmac, timingSafeEqual } from 'node:crypto';
import { type SignatureVerdict } from '../../deliveries/delivery-decision.js';
import { type LoadedWebhook } from './webhook-cache.js';

const FORMAT = /^sha256=([0-9a-f]{64})$/;
/** Stands in where there is no secret, so that the work, and its time, are the same. */
const NOBODY = 'whsec_of-no-webhook';

type Hmac = ReturnType<typeof createHmac>;

/** The keys a request may be signed with: the current secret, and the one before it until it expires. */
export interface SigningKeys {
  current: string | null;
  previous: string | null;
  /** Milliseconds since the epoch; null without a previous secret. */
  previous_expires_at: number | null;
}

/** Computes signatures over a body while it comes in, one for each key that is valid now. */
export class SignatureCheck {
  private readonly current: Hmac;
  private readonly previous: Hmac | null;
  private readonly known: boolean;

  constructor(keys: SigningKeys | null, now: number) {
    this.known = typeof keys?.current === 'string';
    this.current = createHmac('sha256', keys?.current ?? NOBODY);
    this.previous =
      typeof keys?.previous === 'string' && (keys.previous_expires_at ?? 0) > now
        ? createHmac('sha256', keys.previous)
        : null;
  }

  update(chunk: Buffer): void {
    this.current.update(chunk);
    this.previous?.update(chunk);
  }

  /** Exactly `sha256=` and 64 lower-case hex digits are a signature; two headers arrive as one joined by a comma. */
  verdict(header: string | undefined, sha1: string | undefined): SignatureVerdict {
    const given = Buffer.from(FORMAT.exec(header ?? '')?.[1] ?? '00'.repeat(32), 'hex');
    const isCurrent = timingSafeEqual(this.current.digest(), given);
    const isPrevious = this.previous !== null && timingSafeEqual(this.previous.digest(), given);
    if (header === undefined) return sha1 === undefined ? 'missing' : 'sha1_only';
    if (!FORMAT.test(header)) return 'malformed';
    if (!this.known) return 'no_secret';
    if (isCurrent) return 'valid';
    return isPrevious ? 'valid_previous' : 'mismatch';
  }
}

/** Judges a whole body at once, as when the webhook turned out to have changed. */
export function verifySignature(
  webhook: LoadedWebhook,
  body: Buffer,
  signature: string | undefined,
  sha1: string | undefined,
  now: number,
): SignatureVerdict {
  const check = new SignatureCheck(webhook.keys, now);
  check.update(body);
  return check.verdict(signature, sha1);
}

export const isValid = (verdict: SignatureVerdict): boolean =>
  verdict === 'valid' || verdict === 'valid_previous';

/** Whether the body is signed with the secret before the last planned change, whose time is over: a hint for the log. */
export function signedWithExpiredSecret(
  keys: SigningKeys,
  body: Buffer,
  header: string | undefined,
): boolean {
  const given = FORMAT.exec(header ?? '')?.[1];
  if (given === undefined || keys.previous === null) return false;
  return timingSafeEqual(
    createHmac('sha256', keys.previous).update(body).digest(),
    Buffer.from(given, 'hex'),
  );
}
