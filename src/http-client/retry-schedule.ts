/**
 * Seconds before each attempt, counted from the failure of the one before: the first is made at once, the last three and
 * a quarter days later. It holds every step of the example in the Standard Webhooks specification, and one of 30 s for a
 * receiver that restarts.
 */
export const ATTEMPT_DELAYS = [0, 5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;

/** No answer of a receiver puts the next attempt off for longer. */
const MAX_HINT = 36_000;

/**
 * Seconds until the attempt after `failures` failed ones, or null when there is none left.
 * @param random in [0, 1): spreads the delay over 0.8 to 1.2 of itself, so that what failed together is not retried together.
 * @param hint seconds the other side asked for: the delay is no shorter.
 */
export function nextAttemptDelay(failures: number, random: number, hint = 0): number | null {
  const delay = ATTEMPT_DELAYS[failures];
  return delay === undefined ? null : Math.max(delay * (0.8 + 0.4 * random), Math.min(hint, MAX_HINT));
}

/**
 * Seconds that a `Retry-After` header asks for: a number of seconds or an HTTP-date (RFC 9110, section 10.2.3); null
 * for anything else.
 */
export function retryAfterSeconds(header: string | string[] | undefined, now: Date): number | null {
  const value = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value);
  if (!/^[A-Za-z]{3},? /.test(value)) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : Math.max(0, (time - now.getTime()) / 1000);
}
