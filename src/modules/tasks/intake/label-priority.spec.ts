import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TASK_PRIORITIES } from '../task.entity.js';
import { LABEL_PRIORITIES, labelPriority } from './label-priority.js';

describe('priority from labels', () => {
  it.each([
    [['critical'], 'critical'],
    [['Urgent'], 'critical'],
    [['p0'], 'critical'],
    [['HIGH'], 'high'],
    [['important'], 'high'],
    [[' P1 '], 'high'],
    [['low'], 'low'],
    [['minor'], 'low'],
    [['P3'], 'low'],
    [['P2'], 'medium'],
    [[], 'medium'],
    [['bug', 'low', 'p1'], 'high'],
    [['constructor', '__proto__'], 'medium'],
  ])('%j → %s', (labels, priority) => {
    expect(labelPriority(labels, null)).toBe(priority);
  });

  it('follows the map of a webhook instead of the built-in one', () => {
    expect(labelPriority(['P0'], { Blocker: 'critical' })).toBe('medium');
    expect(labelPriority(['BLOCKER '], { Blocker: 'critical' })).toBe('critical');
    expect(labelPriority(['P0'], {})).toBe('medium');
  });

  it('is the highest of what each label alone calls for, in any order and case', () => {
    const label = fc.oneof(fc.constantFrom(...Object.keys(LABEL_PRIORITIES)), fc.string());
    fc.assert(
      fc.property(fc.array(label), (labels) => {
        const ranks = labels
          .map((one) => LABEL_PRIORITIES[one.trim().toLowerCase()])
          .filter((rank) => typeof rank === 'string')
          .map((rank) => TASK_PRIORITIES.indexOf(rank));
        const expected = ranks.length === 0 ? 'medium' : TASK_PRIORITIES[Math.min(...ranks)];
        expect(labelPriority(labels, null)).toBe(expected);
        const shouted = labels.toReversed().map((one) => ` ${one.toUpperCase()}\t`);
        if (labels.every((one) => one.toUpperCase().toLowerCase() === one.toLowerCase()))
          expect(labelPriority(shouted, null)).toBe(expected);
      }),
    );
  });
});
