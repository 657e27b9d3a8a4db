import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Attempt, judgeGaps, type LogEntry } from './judge-gaps.js';

let ids = 3_804_004_623_172_239_000n;
const attempt = (values: Partial<Attempt> = {}): Attempt => ({
  id: String((ids += 1n)),
  guid: 'a',
  delivered_at: new Date('2026-01-01T00:00:00Z'),
  redelivery: false,
  status_code: 502,
  event: 'issues',
  action: 'opened',
  ...values,
});
const judge = (
  attempts: Attempt[],
  log: Record<string, LogEntry> = {},
  wants: (type: string) => boolean = () => true,
) => {
  const { redeliver, ...counts } = judgeGaps(attempts, new Map(Object.entries(log)), wants);
  return { ...counts, redeliver: redeliver.map(({ id }) => id) };
};
const nothing = { missing: 0, failed: 0, given_up: 0, redeliver: [] };

describe('judgeGaps', () => {
  it('asks for what never arrived', () => {
    const one = attempt();
    expect(judge([one])).toEqual({ ...nothing, missing: 1, redeliver: [one.id] });
  });

  it('asks for what failed here, and not for what would fail again', () => {
    const one = attempt();
    const log = (reason: string) => ({ a: { status: 'failed' as const, reason } });
    expect(judge([one], log('processing_failed'))).toEqual({ ...nothing, failed: 1, redeliver: [one.id] });
    expect(judge([one], log('invalid_json'))).toEqual({ ...nothing, given_up: 1 });
  });

  it('leaves what arrived, what one attempt brought, pings, and what nobody waits for', () => {
    const log = { a: { status: 'processed' as const, reason: null } };
    expect(judge([attempt()], log)).toEqual(nothing);
    expect(judge([attempt(), attempt({ redelivery: true, status_code: 200 })])).toEqual(nothing);
    expect(judge([attempt({ event: 'ping', action: null })])).toEqual(nothing);
    expect(judge([attempt({ event: 'push', action: null })], {}, (type) => type !== 'push')).toEqual(nothing);
  });

  it('asks for the latest attempt, three times at the most', () => {
    const first = attempt();
    const [second, third, fourth] = [1, 2, 3].map((minute) =>
      attempt({ redelivery: true, delivered_at: new Date(Date.UTC(2026, 0, 1, 0, minute)) }),
    );
    expect(judge([third!, first, second!]).redeliver).toEqual([third!.id]);
    expect(judge([fourth!, third!, second!, first])).toEqual({ ...nothing, given_up: 1 });
  });

  it('leaves to the look before what it has judged', () => {
    expect(judge([attempt({ redelivery: true })])).toEqual(nothing);
  });

  it('wants a pull request that was closed where its merging is waited for', () => {
    const closed = attempt({ event: 'pull_request', action: 'closed' });
    expect(judge([closed], {}, (type) => type === 'pull_request.merged').redeliver).toEqual([closed.id]);
  });

  it('asks for each delivery once, oldest first, and only for what failed throughout', () => {
    const some = fc.record({
      guid: fc.constantFrom('a', 'b', 'c'),
      delivered_at: fc.date({ min: new Date(0), max: new Date(1e12), noInvalidDate: true }),
      redelivery: fc.boolean(),
      status_code: fc.constantFrom(0, 200, 401, 502),
    });
    fc.assert(
      fc.property(fc.array(some), (values) => {
        const attempts = values.map(attempt);
        const { redeliver } = judgeGaps(attempts, new Map(), () => true);
        expect(new Set(redeliver.map(({ guid }) => guid)).size).toBe(redeliver.length);
        const times = redeliver.map(({ delivered_at }) => delivered_at.getTime());
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        for (const { guid } of redeliver)
          expect(attempts.some((one) => one.guid === guid && one.status_code === 200)).toBe(false);
      }),
    );
  });
});
