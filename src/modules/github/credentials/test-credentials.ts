import { Injectable } from '@nestjs/common';
import { type Identity } from '../../auth/identity.js';
import { assertMayAdminister } from '../../auth/permissions.js';
import { type GithubClient } from '../client/create-client.js';
import { GithubClients } from '../client/github-clients.js';
import { GithubError, type Headers } from '../client/github-error.js';
import { CredentialStore } from './credential-store.js';
import { type GithubTestDto, type RateLimitDto } from './github-credentials.dto.js';
import { GithubCredentials } from './github-credentials.service.js';

/** Asks GitHub who we are to it. */
@Injectable()
export class TestCredentials {
  constructor(
    private readonly credentials: GithubCredentials,
    private readonly store: CredentialStore,
    private readonly clients: GithubClients,
  ) {}

  async test(identity: Identity, org_id: string): Promise<GithubTestDto> {
    assertMayAdminister(identity, org_id);
    await this.credentials.get(identity, org_id);
    try {
      const client = await this.clients.of(org_id);
      if (client === null) return { ok: false, login: null, error: 'The credentials are gone' };
      const answer = await whoAmI(client);
      await this.store.note(org_id, { login: answer.login, last_error: null, last_checked_at: new Date() });
      return answer;
    } catch (error) {
      if (!(error instanceof GithubError)) throw error;
      await this.store.note(org_id, { last_error: error.message, last_checked_at: new Date() });
      return { ok: false, login: null, error: error.message };
    }
  }
}

async function whoAmI({ octokit, app }: GithubClient): Promise<GithubTestDto> {
  if (app !== null) {
    const { data, headers } = await app.octokit.request('GET /app');
    await app.authenticate();
    return { ok: true, login: `${data?.slug ?? ''}[bot]`, ...rateLimit(headers) };
  }
  const { data, headers } = await octokit.request('GET /user');
  const scopes = headers['x-oauth-scopes'];
  return {
    ok: true,
    login: data.login,
    ...(scopes === undefined
      ? {}
      : {
          scopes: scopes
            .split(',')
            .map((scope) => scope.trim())
            .filter(Boolean),
        }),
    ...rateLimit(headers),
  };
}

function rateLimit(headers: Headers): { rate_limit?: RateLimitDto } {
  const number = (name: string): number => Number(headers[`x-ratelimit-${name}`]);
  const [limit, remaining, reset] = [number('limit'), number('remaining'), number('reset')];
  if ([limit, remaining, reset].some(Number.isNaN)) return {};
  return { rate_limit: { limit, remaining, resets_at: new Date(reset * 1000) } };
}
