import { describe, expect, it } from '@jest/globals';
import { BoundedCounters } from './bounded-counters.js';

const MINUTE = 60_000;

describe('bounded counters', () => {
  it('blocks past the limit until the window ends, and then begins anew', async () => {
    let now = 1_000_000;
    const counters = new BoundedCounters(10, () => now);
    const count = () => counters.increment('a', MINUTE, 2, MINUTE, 'caller');
    expect(await count()).toEqual({
      totalHits: 1,
      timeToExpire: 60,
      isBlocked: false,
      timeToBlockExpire: 60,
    });
    now += 59_500;
    expect(await count()).toMatchObject({ totalHits: 2, isBlocked: false, timeToExpire: 1 });
    expect(await count()).toMatchObject({ totalHits: 3, isBlocked: true, timeToBlockExpire: 1 });
    now += 500;
    expect(await count()).toMatchObject({ totalHits: 1, isBlocked: false });
  });

  it('does not lengthen a window by what is tried during it', async () => {
    let now = 0;
    const counters = new BoundedCounters(10, () => now);
    for (; now < MINUTE; now += 1000) await counters.increment('a', MINUTE, 2, MINUTE, 'caller');
    expect(await counters.increment('a', MINUTE, 2, MINUTE, 'caller')).toMatchObject({ isBlocked: false });
  });

  it('keeps its memory bounded, whoever rotates what', async () => {
    const counters = new BoundedCounters(100);
    for (let index = 0; index < 10_000; index++) {
      await counters.increment(`address ${index}`, MINUTE, 3, MINUTE, 'address');
      await counters.increment(`account ${index}`, MINUTE, 3, MINUTE, 'account');
    }
    expect(counters.size).toBe(200);
  });

  it('does not forget an account for the sake of addresses', async () => {
    const counters = new BoundedCounters(100);
    for (let index = 0; index < 3; index++) await counters.increment('victim', MINUTE, 3, MINUTE, 'account');
    for (let index = 0; index < 10_000; index++)
      await counters.increment(`address ${index}`, MINUTE, 3, MINUTE, 'address');
    expect(await counters.increment('victim', MINUTE, 3, MINUTE, 'account')).toMatchObject({
      isBlocked: true,
    });
  });
});
