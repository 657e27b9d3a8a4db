import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldTaskIds } from './fold-task-ids.js';

/** What the folded text stands for. */
const unfold = (text: string): number[] =>
  text
    .split(', ')
    .filter(Boolean)
    .flatMap((run) => {
      const [first = 0, last = first] = run.split('-').map((id) => Number(id.replace('#', '')));
      return Array.from({ length: last - first + 1 }, (_, place) => first + place);
    });

describe('foldTaskIds', () => {
  it.each([
    [[601], '#601'],
    [[601, 602, 603], '#601-#603'],
    [[601, 602], '#601-#602'],
    [[605, 603, 601, 602, 601], '#601-#603, #605'],
    [[], ''],
  ])('folds %j', (ids, text) => {
    expect(foldTaskIds(ids)).toBe(text);
  });

  it('writes each id as it is told', () => {
    expect(foldTaskIds([1, 2, 4], (id) => `[#${id}](/tasks/${id})`)).toBe(
      '[#1](/tasks/1)-[#2](/tasks/2), [#4](/tasks/4)',
    );
  });

  it('stands for exactly the ids it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (ids) => {
        expect(unfold(foldTaskIds(ids))).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
      }),
    );
  });
});
