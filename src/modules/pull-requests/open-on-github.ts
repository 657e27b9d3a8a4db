import { type GithubClient, GithubError } from '../github/github.facade.js';

export interface Proposal {
  owner: string;
  repo: string;
  branch: string;
  base: string;
  title: string;
  body: string;
  draft: boolean;
}

export interface OpenedPullRequest {
  number: number;
  url: string;
}

/** `owner` and `repo` of a remote's URL, and the host they are on; null for one that is not GitHub's kind. */
export function parseRemote(url: string): { host: string; owner: string; repo: string } | null {
  const [, host, owner, repo] =
    /^(?:(?:https|ssh):\/\/(?:[^@/]*@)?|[\w.-]+@)([\w.-]+)(?::\d+)?[:/]([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/.exec(
      url,
    ) ?? [];
  return host === undefined || owner === undefined || repo === undefined ? null : { host, owner, repo };
}

/** Opens the pull request, or finds the open one that the branch has already. @throws GithubError */
export async function openOnGithub(
  { octokit }: GithubClient,
  proposal: Proposal,
): Promise<OpenedPullRequest> {
  const { owner, repo, branch, base, title, body, draft } = proposal;
  try {
    const { data } = await octokit.request('POST /repos/{owner}/{repo}/pulls', {
      owner,
      repo,
      title,
      body,
      draft,
      head: branch,
      base,
    });
    return opened(data);
  } catch (error) {
    if (!(error instanceof GithubError) || error.kind !== 'invalid') throw error;
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/pulls', {
      owner,
      repo,
      head: `${owner}:${branch}`,
      state: 'open',
    });
    const [existing] = Array.isArray(data) ? data : [];
    if (existing === undefined) throw error;
    return opened(existing);
  }
}

/** A server that only resembles GitHub answers anything. */
function opened({ number, html_url }: { number: unknown; html_url: unknown }): OpenedPullRequest {
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || typeof html_url !== 'string')
    throw new GithubError('unavailable', 'GitHub answered with something else than a pull request');
  if (!/^https?:\/\/\S{1,2000}$/.test(html_url))
    throw new GithubError('unavailable', 'GitHub gave the pull request no usable address');
  return { number, url: html_url };
}
