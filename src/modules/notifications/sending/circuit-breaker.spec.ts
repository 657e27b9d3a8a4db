import { describe, expect, it } from '@jest/globals';
import { afterCall, type BreakerState, type CallResult, failingPercent } from './circuit-breaker.js';

const START = new Date('2026-03-01T12:00:00Z');
const at = (seconds: number): Date => new Date(START.getTime() + seconds * 1000);
const HOUR = 3600;
const healthy: BreakerState = {
  window_started_at: null,
  window_requests: 0,
  window_failures: 0,
  connection_errors: 0,
  times_opened: 0,
  open_until: null,
  failing_since: null,
  warned_percent: 0,
  last_success_at: null,
  last_failure_at: null,
  last_error: null,
};
const after = (calls: [seconds: number, result: CallResult][], from: BreakerState = healthy): BreakerState =>
  calls.reduce((state, [seconds, result]) => afterCall(state, result, 'http_500', at(seconds)), from);
const times = (count: number, result: CallResult, from = 0): [number, CallResult][] =>
  Array.from({ length: count }, (_, index) => [from + index, result]);

describe('circuit breaker', () => {
  it('opens after five connection errors in a row, for 30 s', () => {
    expect(after(times(4, 'connection_error')).open_until).toBeNull();
    expect(after(times(5, 'connection_error')).open_until).toEqual(at(4 + 30));
    expect(
      after([...times(4, 'connection_error'), [4, 'failure'], ...times(4, 'connection_error', 5)]).open_until,
    ).toBeNull();
  });

  it('opens when seven of ten fail, not when six do, and not for nine calls', () => {
    expect(after([...times(3, 'success'), ...times(7, 'failure', 3)]).open_until).toEqual(at(9 + 30));
    expect(after([...times(4, 'success'), ...times(6, 'failure', 4)]).open_until).toBeNull();
    expect(after(times(9, 'failure')).open_until).toBeNull();
  });

  it('counts in windows of five minutes', () => {
    expect(after([...times(9, 'failure'), [301, 'failure']]).open_until).toBeNull();
  });

  it('waits twice as long after each failed probe, up to ten minutes, and closes on success', () => {
    let state = after(times(5, 'connection_error'));
    const waits: number[] = [];
    for (let probe = 0; probe < 7; probe += 1) {
      const now = state.open_until!;
      state = afterCall(state, 'failure', 'http_500', now);
      waits.push((state.open_until!.getTime() - now.getTime()) / 1000);
    }
    expect(waits).toEqual([60, 120, 240, 480, 600, 600, 600]);
    state = afterCall(state, 'success', null, state.open_until!);
    expect(state).toMatchObject({ open_until: null, times_opened: 0, failing_since: null });
  });

  it('is not opened for longer by calls that began before it opened', () => {
    const open = after(times(5, 'connection_error'));
    expect(after([[6, 'failure']], open).open_until).toEqual(open.open_until);
  });

  it('says how long a receiver has failed without a success, in steps', () => {
    const failing = (hours: number): number => failingPercent(after([[0, 'failure']]), at(hours * HOUR));
    expect([59, 60, 84, 108, 120, 500].map(failing)).toEqual([0, 50, 70, 90, 100, 100]);
    expect(failingPercent(healthy, at(0))).toBe(0);
  });

  it('begins anew after a day without a failure', () => {
    expect(
      after([
        [0, 'failure'],
        [23 * HOUR, 'failure'],
      ]).failing_since,
    ).toEqual(at(0));
    expect(
      after([
        [0, 'failure'],
        [25 * HOUR, 'failure'],
      ]).failing_since,
    ).toEqual(at(25 * HOUR));
  });
});
