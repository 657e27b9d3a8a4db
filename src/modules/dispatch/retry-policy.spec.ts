import { describe, expect, it } from '@jest/globals';
import { retryDelay } from './retry-policy.js';

const settings = { ENTOURAGE_RUN_MAX_ATTEMPTS: 20, ENTOURAGE_RUN_BACKOFF_SECONDS: 10 };

describe('retryDelay', () => {
  it('doubles up to an hour', () => {
    expect([1, 2, 3, 9, 10, 19].map((failed) => retryDelay(failed, settings, 0.5))).toEqual([
      10, 20, 40, 2560, 3600, 3600,
    ]);
  });

  it('spreads by a fifth, never beyond an hour', () => {
    expect([retryDelay(1, settings, 0), retryDelay(1, settings, 1)]).toEqual([8, 12]);
    expect(retryDelay(15, settings, 1)).toBe(3600);
  });

  it('ends at the limit', () => {
    expect([retryDelay(19, settings, 0), retryDelay(20, settings, 0)]).toEqual([expect.any(Number), null]);
    expect(retryDelay(1, { ...settings, ENTOURAGE_RUN_MAX_ATTEMPTS: 1 }, 0)).toBeNull();
  });
});
