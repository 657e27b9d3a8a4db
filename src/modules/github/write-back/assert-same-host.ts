import { GithubError } from '../client/github-error.js';

const GITHUB_API = 'api.github.com';

/**
 * An issue of GitHub Enterprise Server has its namesake on github.com, which the credentials for github.com must not
 * write to. The other way round nothing is known: a proxy may stand before github.com.
 * @throws GithubError `invalid`
 */
export function assertSameHost(host: string, base_url: string): void {
  if (new URL(base_url).hostname === GITHUB_API && host !== 'github.com')
    throw new GithubError('invalid', `The issue is on ${host}, and the credentials are for github.com`);
}
