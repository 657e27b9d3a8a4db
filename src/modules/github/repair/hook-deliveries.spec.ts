import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { nextCursor } from './hook-deliveries.js';

describe('nextCursor', () => {
  it.each([
    ['<https://api.github.com/x?per_page=100&cursor=v1_17>; rel="next"', 'v1_17'],
    ['<https://h/x?cursor=v1_1>; rel="prev", <https://h/x?cursor=v1_3>; rel="next"', 'v1_3'],
    ['<https://h/x?cursor=v1_3>; rel="next", <https://h/x?cursor=v1_1>; rel="prev"', 'v1_3'],
    ['<https://h/x?cursor=v1_1>; rel="prev"', null],
    ['<no url>; rel="next"', null],
    ['', null],
    [undefined, null],
  ])('of %s is %s', (link, cursor) => {
    expect(nextCursor(link)).toBe(cursor);
  });

  it('reads anything', () => {
    fc.assert(fc.property(fc.string(), (link) => void nextCursor(link)));
  });
});
