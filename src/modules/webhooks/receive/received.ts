import { type SignatureVerdict } from '../../deliveries/delivery-decision.js';
import { type LoadedWebhook } from './webhook-cache.js';

/** A request that was read to its end, for a webhook that exists. */
export interface Received {
  /** As this process knew it when the request came in. */
  webhook: LoadedWebhook;
  delivery_id: string;
  correlation_id: string;
  created_at: Date;
  /** Those that are kept, names in lower case: never the signature. */
  headers: Record<string, string>;
  /** `X-Hub-Signature-256` and `X-Hub-Signature`, to judge the request anew should the webhook have changed. */
  signature: { sha256: string | undefined; sha1: string | undefined };
  verdict: SignatureVerdict;
  body_size: number;
  body_sha256: Buffer;
}

const KEPT = [
  'x-github-event',
  'x-event-type',
  'x-github-delivery',
  'x-github-hook-id',
  'x-github-hook-installation-target-type',
  'x-github-hook-installation-target-id',
  'x-github-enterprise-host',
  'x-github-enterprise-version',
  'user-agent',
  'content-type',
  'content-length',
  'content-encoding',
];
const MAX_VALUE = 500;

/** The headers worth keeping, without secrets: of the signature only that there was one. */
export function keptHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const kept = KEPT.flatMap((name) => {
    const value = headers[name];
    const text = Array.isArray(value) ? value.join(', ') : value?.trim();
    return text === undefined || text === ''
      ? []
      : [[name, text.slice(0, MAX_VALUE).toWellFormed()] as const];
  });
  const signed = headers['x-hub-signature-256'] !== undefined;
  return Object.fromEntries([...kept, ['x-hub-signature-256', String(signed)]]);
}
