export interface RetrySettings {
  ENTOURAGE_RUN_MAX_ATTEMPTS: number;
  ENTOURAGE_RUN_BACKOFF_SECONDS: number;
}

const MAX_BACKOFF_SECONDS = 3600;

/**
 * After the `failed`th failed run in a row: seconds until the task may be tried again, or null when it was tried often
 * enough. Doubles up to an hour; `random` (0 to 1) spreads it by a fifth either way, so that what failed together does
 * not come back together.
 */
export function retryDelay(failed: number, settings: RetrySettings, random: number): number | null {
  if (failed >= settings.ENTOURAGE_RUN_MAX_ATTEMPTS) return null;
  const seconds = settings.ENTOURAGE_RUN_BACKOFF_SECONDS * 2 ** Math.min(failed - 1, 30);
  return Math.min(MAX_BACKOFF_SECONDS, Math.min(MAX_BACKOFF_SECONDS, seconds) * (1 + (random - 0.5) * 0.4));
}
