import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { OutboundHttp } from '../../../http-client/outbound-http.js';
import { CredentialStore } from '../credentials/credential-store.js';
import { createClient, type GithubClient } from './create-client.js';
import { GithubError } from './github-error.js';

const MAX_CLIENTS = 1_000;

/** The clients of this process, one for each organization that it calls GitHub for. */
@Injectable()
export class GithubClients {
  private readonly clients = new LRUCache<string, { revision: string; client: GithubClient }>({
    max: MAX_CLIENTS,
  });
  private spacing = true;

  constructor(
    private readonly store: CredentialStore,
    private readonly outbound: OutboundHttp,
  ) {}

  /** Leaves out the seconds between writes that GitHub asks for: for tests, whose GitHub does not. */
  withoutSpacing(): this {
    this.spacing = false;
    this.clients.clear();
    return this;
  }

  /**
   * @returns null when the organization has no credentials.
   * @throws GithubError `rate_limited` while GitHub has asked for patience, whichever process it asked.
   */
  async of(org_id: string): Promise<GithubClient | null> {
    const standing = await this.store.standing(org_id);
    if (standing === null) return null;
    const { revision, paused_for } = standing;
    if (paused_for !== null)
      throw new GithubError(
        'rate_limited',
        `GitHub limits the rate of calls for another ${Math.ceil(paused_for)} s`,
        paused_for,
      );
    const known = this.clients.get(org_id);
    if (known?.revision === revision) return known.client;
    const credential = await this.store.open(org_id);
    if (credential === null) return null;
    const client = createClient(credential, this.outbound, {
      spacing: this.spacing,
      onError: (error) => this.store.heed(org_id, error),
    });
    this.clients.set(org_id, { revision: credential.revision, client });
    return client;
  }
}
