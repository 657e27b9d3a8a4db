import { type Octokit } from '@octokit/core';
import { type HookFacts } from '../../webhooks/webhook.entity.js';
import { type Headers } from '../client/github-error.js';
import { type Attempt } from './judge-gaps.js';

const PER_PAGE = 100;
const MAX_PAGES = 10;
/** Below, what is left of GitHub's hourly allowance is for write-back, and for whoever else uses the credentials. */
const LOW_ALLOWANCE = 100;

/** The deliveries of one hook on GitHub. Its place is built from names, never from a URL that a payload gave. */
export class HookDeliveries {
  private readonly route: string;
  private readonly at: Record<string, unknown>;
  private remaining = Number.POSITIVE_INFINITY;

  constructor(
    private readonly octokit: Octokit,
    facts: HookFacts & { hook_id: number },
    signal: AbortSignal,
  ) {
    const ofRepository = facts.hook_type === 'Repository';
    const [owner = '', repo = ''] = (facts.repository ?? '').split('/');
    this.route = `${ofRepository ? '/repos/{owner}/{repo}' : '/orgs/{org}'}/hooks/{hook_id}/deliveries`;
    this.at = {
      ...(ofRepository ? { owner, repo } : { org: facts.organization }),
      hook_id: facts.hook_id,
      request: { signal },
    };
  }

  get isLow(): boolean {
    return this.remaining < LOW_ALLOWANCE;
  }

  /** Newest first, back to `since`, as far as that is allowed. */
  async list(since: Date): Promise<{ attempts: Attempt[]; truncated: boolean }> {
    const attempts: Attempt[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { data, headers } = (await this.octokit.request(`GET ${this.route}`, {
        ...this.at,
        per_page: PER_PAGE,
        ...(cursor === null ? {} : { cursor }),
      })) as { data: unknown; headers: Headers };
      this.note(headers);
      const found = Array.isArray(data) ? data.flatMap((item) => attemptOf(item) ?? []) : [];
      attempts.push(...found.filter(({ delivered_at }) => delivered_at >= since));
      cursor = nextCursor(headers['link']);
      if (cursor === null || found.some(({ delivered_at }) => delivered_at < since))
        return { attempts, truncated: false };
      if (this.isLow) break;
    }
    return { attempts, truncated: true };
  }

  async redeliver(delivery_id: string): Promise<void> {
    const { headers } = (await this.octokit.request(`POST ${this.route}/{delivery_id}/attempts`, {
      ...this.at,
      delivery_id,
    })) as { headers: Headers };
    this.note(headers);
  }

  private note(headers: Headers): void {
    const remaining = Number(headers['x-ratelimit-remaining']);
    if (!Number.isNaN(remaining)) this.remaining = remaining;
  }
}

/** The cursor of the next page out of `Link` (RFC 8288); the address itself is not followed. */
export function nextCursor(link: string | number | undefined): string | null {
  const [, url = ''] = /<([^<>]*)>\s*;[^<]*\brel="?next"?/.exec(String(link ?? '')) ?? [];
  return URL.canParse(url) ? new URL(url).searchParams.get('cursor') : null;
}

/** Ids have outgrown JavaScript's numbers; octokit gives those as bigint and leaves them out of a path. */
function attemptOf(item: unknown): Attempt | null {
  if (typeof item !== 'object' || item === null) return null;
  const { id, guid, delivered_at, redelivery, status_code, event, action } = item as Record<string, unknown>;
  const time = new Date(typeof delivered_at === 'string' ? delivered_at : Number.NaN);
  if (typeof id !== 'number' && typeof id !== 'bigint') return null;
  if (typeof guid !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(guid)) return null;
  if (typeof event !== 'string' || Number.isNaN(time.getTime())) return null;
  return {
    id: String(id),
    guid,
    delivered_at: time,
    redelivery: redelivery === true,
    status_code: typeof status_code === 'number' ? status_code : 0,
    event,
    action: typeof action === 'string' ? action : null,
  };
}
