import { type Octokit } from '@octokit/core';
import { GithubError } from './github-error.js';

/** Before the hour that GitHub gives a token is over, by any clock. */
const MARGIN_MS = 5 * 60_000;

/**
 * The token of an App's installation, asked for when it is needed. auth-app could do that too, but it shares a request
 * under way between all clients of a process by the installation's number alone: an organization that names the
 * installation of another, and a server of its own, would be sent the other's token.
 */
export function installationToken(
  app: Octokit,
  installation_id: number,
): { current(): Promise<string>; forget(): void } {
  let known: { token: string; until: number } | null = null;
  let asking: Promise<string> | null = null;
  const ask = async (): Promise<string> => {
    try {
      const { data } = await app.request('POST /app/installations/{installation_id}/access_tokens', {
        installation_id,
      });
      known = { token: data.token, until: Date.parse(data.expires_at) - MARGIN_MS };
      return data.token;
    } catch (error) {
      // A wrong installation is a fault of the credentials, not of what was to be done with them.
      if (error instanceof GithubError && (error.kind === 'missing' || error.kind === 'forbidden'))
        throw new GithubError('unauthorized', `The App's installation gives no token: ${error.message}`);
      throw error;
    } finally {
      asking = null;
    }
  };
  return {
    current: () =>
      known !== null && known.until > Date.now() ? Promise.resolve(known.token) : (asking ??= ask()),
    forget: () => {
      known = null;
    },
  };
}
