import { describe, expect, it } from '@jest/globals';
import { ATTEMPT_DELAYS, nextAttemptDelay, retryAfterSeconds } from './retry-schedule.js';

describe('nextAttemptDelay', () => {
  it('makes eleven attempts within 75 h 35 min 35 s, then none', () => {
    expect(ATTEMPT_DELAYS.length).toBe(11);
    expect(ATTEMPT_DELAYS.reduce<number>((sum, delay) => sum + delay, 0)).toBe(75 * 3600 + 35 * 60 + 35);
    expect(nextAttemptDelay(11, 0.5)).toBeNull();
  });

  it('spreads each delay', () => {
    expect([0, 0.5, 0.999].map((random) => Math.round(nextAttemptDelay(3, random)!))).toEqual([
      240, 300, 360,
    ]);
  });

  it('is no shorter than what was asked for, up to ten hours', () => {
    expect(nextAttemptDelay(1, 0, 90)).toBe(90);
    expect(nextAttemptDelay(4, 0, 90)).toBe(1440);
    expect(nextAttemptDelay(1, 0, 1e9)).toBe(36_000);
  });
});

describe('retryAfterSeconds', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  it.each<[string | string[] | undefined, number | null]>([
    ['120', 120],
    [' 5 ', 5],
    [['7', '9'], 7],
    ['Sun, 01 Mar 2026 12:01:30 GMT', 90],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['-5', null],
    ['1.5', null],
    ['2026-03-01T12:01:30Z', null],
    ['soon', null],
    ['', null],
    [undefined, null],
  ])('%j is %j', (header, seconds) => {
    expect(retryAfterSeconds(header, now)).toBe(seconds);
  });
});
