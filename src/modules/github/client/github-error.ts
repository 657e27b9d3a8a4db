import { OutboundError } from '../../../http-client/outbound-error.js';
import { retryAfterSeconds } from '../../../http-client/retry-schedule.js';

export type GithubErrorKind =
  /** GitHub asks for patience, of the whole organization. */
  | 'rate_limited'
  /** It does not take the credentials: they may be mended. */
  | 'unauthorized'
  /** The credentials are right but may not do this. */
  | 'forbidden'
  /** There is no such thing, or not for these credentials. */
  | 'missing'
  /** It understood, and refuses. */
  | 'invalid'
  /** No answer, one of its own failures, or one nobody understands: the next attempt may succeed. */
  | 'unavailable';

/** Why GitHub did not do what it was asked. The message is for a person and holds no secret. */
export class GithubError extends Error {
  constructor(
    readonly kind: GithubErrorKind,
    message: string,
    /** Of `rate_limited`: how long to wait. */
    readonly wait_seconds = 0,
  ) {
    super(message);
    this.name = 'GithubError';
  }
}

export type Headers = Record<string, string | number | undefined>;

/** As much of octokit's RequestError as is read. */
interface Fault {
  status?: number;
  message?: string;
  cause?: unknown;
  response?: { headers: Headers; data?: unknown };
}

const MAX_MESSAGE = 200;
const FALLBACK_WAIT = 60;
const MAX_WAIT = 86_400;

/** What a failed call of octokit means. */
export function githubError(error: unknown, now: Date): GithubError {
  if (error instanceof GithubError) return error;
  const { status, response, cause, message } = (error ?? {}) as Fault;
  if (response === undefined || status === undefined) {
    const reason = cause instanceof OutboundError ? cause.message : 'the call failed';
    return new GithubError('unavailable', `GitHub gave no answer: ${reason}`);
  }
  const wait = rateLimitWait(status, response.headers, message ?? '', now);
  if (wait !== null)
    return new GithubError('rate_limited', `GitHub limits the rate of calls (${status})`, wait);
  return new GithubError(kindOf(status), `GitHub answered ${status}${said(response.data)}`);
}

function kindOf(status: number): GithubErrorKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404 || status === 410) return 'missing';
  return status >= 400 && status < 500 && status !== 408 && status !== 409 ? 'invalid' : 'unavailable';
}

/**
 * How long a refusal asks to wait, null for one that is no rate limit
 * (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 */
function rateLimitWait(status: number, headers: Headers, message: string, now: Date): number | null {
  if (status !== 403 && status !== 429) return null;
  // By GitHub's own clock where it tells it: ours may be wrong.
  const told = Date.parse(String(headers['date']));
  const clock = Number.isNaN(told) ? now : new Date(told);
  const asked = retryAfterSeconds(headers['retry-after']?.toString(), clock);
  if (asked !== null) return bounded(asked);
  if (String(headers['x-ratelimit-remaining']) === '0') {
    const reset = Number(headers['x-ratelimit-reset']) - clock.getTime() / 1000;
    return bounded(Number.isNaN(reset) ? FALLBACK_WAIT : reset + 1);
  }
  return status === 429 || /\brate limit\b/i.test(message) ? FALLBACK_WAIT : null;
}

const bounded = (seconds: number): number => Math.min(MAX_WAIT, Math.max(1, Math.ceil(seconds)));

/** GitHub's own words, where its answer has them in the usual place; never the rest of the answer. */
function said(data: unknown): string {
  const message = typeof data === 'object' && data !== null && 'message' in data ? data.message : null;
  return typeof message === 'string' && message !== ''
    ? `: ${message.slice(0, MAX_MESSAGE).replaceAll('\0', '').toWellFormed()}`
    : '';
}
