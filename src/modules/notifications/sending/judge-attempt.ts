import { type OutboundError } from '../../../http-client/outbound-error.js';
import { type OutboundAnswer } from '../../../http-client/outbound-http.js';
import { nextAttemptDelay, retryAfterSeconds } from '../../../http-client/retry-schedule.js';
import { type DisabledReason } from '../outbound-webhook.entity.js';
import { type CallResult } from './circuit-breaker.js';

/** Answers that say that the request is wrong: it is tried a few times, since receivers are deployed too. */
const REFUSALS = new Set([400, 401, 403, 404, 405, 413, 422]);
const REFUSAL_TRIES = 3;
/** A receiver that is overrun or too slow is left alone at least this long. */
const PATIENCE_SECONDS = 60;

export interface Verdict {
  outcome: 'succeeded' | 'failed';
  /** Stable code of what went wrong. */
  error: string | null;
  /** The same for a person. */
  detail: string | null;
  /** What the breaker makes of it. */
  call: CallResult;
  /** Seconds until the next attempt; null when there is none. */
  retry_in: number | null;
  /** The receiver wants no more. */
  disable: DisabledReason | null;
}

interface Tried {
  /** Failed attempts before this one. */
  failures: number;
  /** A person asked for this one attempt. */
  manual: boolean;
}

/**
 * What follows from an attempt. Only 2xx is success (Standard Webhooks): a redirect is a failure, since following it would
 * hand the API key to whoever is named.
 */
export function judgeAttempt(
  result: OutboundAnswer | OutboundError,
  tried: Tried,
  now: Date,
  random = Math.random(),
): Verdict {
  const verdict =
    'status' in result ? judgeAnswer(result, tried, now, random) : judgeError(result, tried, random);
  return tried.manual ? { ...verdict, retry_in: null } : verdict;
}

function judgeAnswer(answer: OutboundAnswer, tried: Tried, now: Date, random: number): Verdict {
  const { status, headers } = answer;
  // What a receiver may ask for in its answer, as with Svix.
  const wish = headers['webhook-delivery'];
  const asked = wish === 'disable' ? { disable: 'receiver_asked' as const } : { disable: null };
  if (status >= 200 && status <= 299)
    return { outcome: 'succeeded', error: null, detail: null, call: 'success', retry_in: null, ...asked };
  const failed = {
    outcome: 'failed' as const,
    error: `http_${status}`,
    detail: detailOf(status),
    call: 'failure' as const,
    retry_in: null,
    ...asked,
  };
  if (status === 410) return { ...failed, disable: 'gone' };
  if (wish === 'disable' || wish === 'abort-message') return failed;
  if (REFUSALS.has(status) && tried.failures + 1 >= REFUSAL_TRIES) return failed;
  const floor = status === 429 ? PATIENCE_SECONDS : 0;
  const hint = Math.max(retryAfterSeconds(headers['retry-after'], now) ?? 0, floor);
  return { ...failed, retry_in: nextAttemptDelay(tried.failures + 1, random, hint) };
}

function judgeError(error: OutboundError, tried: Tried, random: number): Verdict {
  const hint = error.code === 'timeout' ? PATIENCE_SECONDS : 0;
  return {
    outcome: 'failed',
    error: error.code,
    detail: error.message,
    call: 'connection_error',
    retry_in: nextAttemptDelay(tried.failures + 1, random, hint),
    disable: null,
  };
}

function detailOf(status: number): string {
  if (status >= 300 && status <= 399) return `The receiver redirects (${status}); redirects are not followed`;
  if (status === 410) return 'The receiver is gone (410)';
  return `The receiver answered ${status}`;
}
