import { createHmac } from 'node:crypto';

export interface SignedMessage {
  /** Stable over retries; must not contain a full stop. */
  id: string;
  event: string;
  attempt: number;
  body: Buffer;
  /** Unix time of this attempt. */
  timestamp: number;
}

const PREFIX = 'whsec_';

/** The key of a `whsec_…` secret in the sense of Standard Webhooks: the bytes behind its base64. */
const standardKey = (secret: string): Buffer =>
  secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret);

/**
 * Headers that prove who sent these very bytes: GitHub's scheme (keyed with the secret as it is written) and beside it
 * Standard Webhooks, whose signed time keeps a captured request from being sent again.
 * @param previous secrets that were replaced but still count, newest first: receivers may know either.
 */
export function signRequest(
  message: SignedMessage,
  secret: string,
  previous: string[] = [],
): Record<string, string> {
  const { id, timestamp, body } = message;
  const standard = (key: string): string =>
    `v1,${createHmac('sha256', standardKey(key)).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  const plain = (key: string): string => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  const [latest] = previous;
  return {
    'x-entourage-event': message.event,
    'x-entourage-delivery': id,
    'x-entourage-attempt': String(message.attempt),
    'x-entourage-timestamp': String(timestamp),
    'x-entourage-signature': plain(secret),
    ...(latest === undefined ? {} : { 'x-entourage-signature-previous': plain(latest) }),
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': [secret, ...previous].map(standard).join(' '),
  };
}
