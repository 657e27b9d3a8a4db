import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { DataSource } from 'typeorm';
import { type WebhookConfig } from '../webhook-config.js';
import { WebhookSecrets } from '../webhook-secrets.js';
import { type HookFacts, type Webhook } from '../webhook.entity.js';
import { onConnection } from './on-connection.js';
import { type SigningKeys } from './verify-signature.js';

const MAX_WEBHOOKS = 10_000;
const TTL_MS = 60_000;
const CUT_AFTER_MS = 2_000;

/** What receiving needs of a webhook, its secrets opened. */
export interface LoadedWebhook {
  id: string;
  org_id: string;
  team_id: string | null;
  active: boolean;
  events: string[];
  config: WebhookConfig;
  hook_facts: HookFacts | null;
  revision: number;
  keys: SigningKeys;
}

export type WebhookRow = Pick<
  Webhook,
  | 'id'
  | 'org_id'
  | 'team_id'
  | 'active'
  | 'events'
  | 'config'
  | 'hook_facts'
  | 'revision'
  | 'secret'
  | 'previous_secret'
  | 'previous_secret_expires_at'
>;

export const WEBHOOK_COLUMNS =
  'id, org_id, team_id, active, events, config, hook_facts, revision, secret, previous_secret, previous_secret_expires_at';

/**
 * Webhooks as this process last saw them. A cached one may be out of date: the transaction that records a delivery
 * reads `revision` again, and a signature that does not fit is judged anew with a fresh row before it is refused.
 */
@Injectable()
export class WebhookCache {
  private readonly known = new LRUCache<string, LoadedWebhook>({ max: MAX_WEBHOOKS, ttl: TTL_MS });

  constructor(
    private readonly db: DataSource,
    private readonly secrets: WebhookSecrets,
  ) {}

  /** Without asking the database. */
  remembered(id: string): LoadedWebhook | undefined {
    return this.known.get(id);
  }

  /** An unknown id is asked of the database each time: it may exist the next moment. */
  async reload(id: string): Promise<LoadedWebhook | null> {
    const [row] = await onConnection(this.db, CUT_AFTER_MS, async (_, client) => {
      const text = `SELECT ${WEBHOOK_COLUMNS} FROM webhooks WHERE id = $1`;
      return (await client.query<WebhookRow>({ name: 'webhook_load', text, values: [id] })).rows;
    });
    if (row === undefined) {
      this.known.delete(id);
      return null;
    }
    return this.remember(row);
  }

  forget(id: string): void {
    this.known.delete(id);
  }

  remember(row: WebhookRow): LoadedWebhook {
    const { secret, previous_secret, previous_secret_expires_at, ...rest } = row;
    const loaded: LoadedWebhook = {
      ...rest,
      keys: {
        current: this.secrets.open(row.id, secret),
        previous: this.secrets.open(row.id, previous_secret),
        previous_expires_at: previous_secret_expires_at?.getTime() ?? null,
      },
    };
    this.known.set(row.id, loaded);
    return loaded;
  }
}

/** Whether a delivery judged with `used` would have to be judged anew with `row`. */
export const isOutdated = (used: LoadedWebhook, row: Pick<WebhookRow, 'revision' | 'team_id'>): boolean =>
  used.revision !== row.revision || used.team_id !== row.team_id;
