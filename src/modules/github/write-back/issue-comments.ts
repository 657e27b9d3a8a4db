import { type Octokit } from '@octokit/core';
import { GithubError } from '../client/github-error.js';
import { type Subject } from './subject.js';

export type Place = NonNullable<Subject['place']>;

export interface Comment {
  id: number;
  url: string | null;
  /** Login of who wrote it: ourselves. */
  author: string | null;
}

const PER_PAGE = 100;
const MAX_PAGES = 10;

/** What can be done to one issue or pull request, which for comments, labels and state are the same to GitHub. */
export class IssueComments {
  private readonly at: {
    owner: string;
    repo: string;
    issue_number: number;
    request: { signal: AbortSignal };
  };

  constructor(
    private readonly octokit: Octokit,
    { owner, repo, number }: Place,
    signal: AbortSignal,
  ) {
    this.at = { owner, repo, issue_number: number, request: { signal } };
  }

  /** The oldest comment with the marker; a later one can only be a copy. */
  async find(marker: string, since: Date): Promise<Comment | null> {
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const { data } = await this.octokit.request(
        'GET /repos/{owner}/{repo}/issues/{issue_number}/comments',
        { ...this.at, since: since.toISOString(), per_page: PER_PAGE, page },
      );
      if (!Array.isArray(data)) throw unexpected();
      const ours = data.find(({ body }) => body?.trimEnd().endsWith(marker));
      if (ours !== undefined) return commentOf(ours);
      if (data.length < PER_PAGE) return null;
    }
    return null;
  }

  async create(body: string): Promise<Comment> {
    const { status, data } = await this.octokit.request(
      'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
      { ...this.at, body },
    );
    if (status !== 201) throw unexpected();
    return commentOf(data);
  }

  async edit(comment_id: number, body: string): Promise<Comment> {
    const { owner, repo, request } = this.at;
    const { data } = await this.octokit.request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
      owner,
      repo,
      request,
      comment_id,
      body,
    });
    return commentOf(data);
  }

  /** Adds it to those that are there. */
  async label(name: string): Promise<void> {
    await this.octokit.request('POST /repos/{owner}/{repo}/issues/{issue_number}/labels', {
      ...this.at,
      labels: [name],
    });
  }

  async close(): Promise<void> {
    await this.octokit.request('PATCH /repos/{owner}/{repo}/issues/{issue_number}', {
      ...this.at,
      state: 'closed',
      state_reason: 'completed',
    });
  }
}

/** A server that only resembles GitHub, or a redirect that turned the request into another, answers anything. */
function commentOf(data: { id: unknown; html_url?: unknown; user?: { login?: unknown } | null }): Comment {
  const { id, html_url, user } = data;
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw unexpected();
  return {
    id,
    url: typeof html_url === 'string' && /^https?:\/\/\S{1,2000}$/.test(html_url) ? html_url : null,
    author: typeof user?.login === 'string' ? user.login.slice(0, 255) : null,
  };
}

const unexpected = (): GithubError =>
  new GithubError('unavailable', 'GitHub answered with something else than a comment');
