import { type SignatureVerdict } from '../../deliveries/delivery-decision.js';
import { type Received } from './received.js';
import { signedWithExpiredSecret } from './verify-signature.js';

export type Refused = Exclude<SignatureVerdict, 'valid' | 'valid_previous'>;

const REASONS: Record<Refused, string> = {
  missing: 'signature_missing',
  sha1_only: 'sha1_only',
  malformed: 'malformed',
  mismatch: 'bad_signature',
  no_secret: 'no_secret',
};

/** What the log says of a request whose signature does not hold. The sender is told none of it. */
export function refusalOf(
  { webhook, signature }: Received,
  verdict: Refused,
  body: Buffer,
): { reason: string; error: string | null; warnings: string[] } {
  const expired = verdict === 'mismatch' && signedWithExpiredSecret(webhook.keys, body, signature.sha256);
  return {
    reason: REASONS[verdict],
    error: expired ? 'signed with the secret that has been replaced' : null,
    warnings: expired ? ['expired_secret'] : [],
  };
}
