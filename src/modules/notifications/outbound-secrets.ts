import { Injectable } from '@nestjs/common';
import { DomainError } from '../../errors/domain-error.js';
import { newSecret } from '../../secrets/new-secret.js';
import { SecretBox } from '../../secrets/secret-box.js';
import { type OutboundWebhook, type PreviousSecret } from './outbound-webhook.entity.js';

/** Old secrets that may sign at once: each makes every request longer. */
const MAX_PREVIOUS = 10;
const HINT_LENGTH = 4;
/** A short key must not be told by its hint. */
const MIN_HINTED = 12;

type Sealed = Pick<OutboundWebhook, 'id' | 'secret' | 'previous_secrets' | 'api_key'>;

/** What a request is signed and sent with, in plain. */
export interface OutboundKeys {
  secret: string;
  /** Newest first. */
  previous: string[];
  api_key: string | null;
}

const secretPurpose = (id: string): string => `outbound-webhook:${id}:secret`;
const apiKeyPurpose = (id: string): string => `outbound-webhook:${id}:api-key`;

/** Secrets of outbound webhooks: made here, kept encrypted, opened only to send. */
@Injectable()
export class OutboundSecrets {
  constructor(private readonly box: SecretBox) {}

  generate(id: string): { plain: string; columns: Pick<OutboundWebhook, 'secret' | 'secret_hint'> } {
    const plain = newSecret();
    const columns = {
      secret: this.box.seal(plain, secretPurpose(id)),
      secret_hint: plain.slice(-HINT_LENGTH),
    };
    return { plain, columns };
  }

  sealApiKey(id: string, key: string): Pick<OutboundWebhook, 'api_key' | 'api_key_hint'> {
    if (key === '') return { api_key: null, api_key_hint: null };
    const hint = key.length < MIN_HINTED ? '' : key.slice(-HINT_LENGTH);
    return { api_key: this.box.seal(key, apiKeyPurpose(id)), api_key_hint: hint };
  }

  /**
   * The list of old secrets when the current one is replaced now.
   * @throws DomainError `too_many_secrets`
   */
  replaced(webhook: OutboundWebhook, grace_seconds: number, now: Date): PreviousSecret[] {
    if (grace_seconds === 0) return [];
    const live = livePrevious(webhook, now);
    if (live.length >= MAX_PREVIOUS)
      throw new DomainError(
        'too_many_secrets',
        `There are ${MAX_PREVIOUS} old secrets that still count: wait, or use grace_period_seconds 0`,
      );
    const expires_at = new Date(now.getTime() + grace_seconds * 1000).toISOString();
    return [{ sealed: webhook.secret.toString('base64'), hint: webhook.secret_hint, expires_at }, ...live];
  }

  open(webhook: Sealed, now: Date): OutboundKeys {
    const open = (sealed: Buffer): string => this.box.open(sealed, secretPurpose(webhook.id));
    return {
      secret: open(webhook.secret),
      previous: livePrevious(webhook, now).map(({ sealed }) => open(Buffer.from(sealed, 'base64'))),
      api_key: webhook.api_key === null ? null : this.box.open(webhook.api_key, apiKeyPurpose(webhook.id)),
    };
  }
}

export const livePrevious = (
  webhook: Pick<OutboundWebhook, 'previous_secrets'>,
  now: Date,
): PreviousSecret[] => webhook.previous_secrets.filter(({ expires_at }) => new Date(expires_at) > now);
