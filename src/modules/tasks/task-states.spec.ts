import { describe, expect, it } from '@jest/globals';
import { canTransition, isFinished, needsPerson, TRANSITIONS } from './task-states.js';
import { TASK_STATUSES } from './task.entity.js';

describe('the table of states', () => {
  it('names every state, and never a way from a state to itself', () => {
    expect(Object.keys(TRANSITIONS)).toEqual([...TASK_STATUSES]);
    for (const status of TASK_STATUSES) expect(canTransition(status, status)).toBe(false);
  });

  it('leads every state to archived, and out of merging only by the merge', () => {
    for (const start of TASK_STATUSES) {
      const reached = new Set([start]);
      for (const status of reached) for (const next of TRANSITIONS[status]) reached.add(next);
      expect(reached).toContain('archived');
    }
    expect(TRANSITIONS.merging).toEqual(['done', 'in_progress']);
  });

  it('knows what is finished: only archiving is left', () => {
    for (const status of TASK_STATUSES)
      expect(isFinished(status)).toBe(TRANSITIONS[status].every((next) => next === 'archived'));
  });

  it('wants review and merge between in_review and done', () => {
    const steps = TASK_STATUSES.flatMap((from) =>
      TRANSITIONS[from].filter((to) => needsPerson(from, to)).map((to) => `${from} ${to}`),
    );
    expect(steps).toEqual(['in_review in_approval', 'in_approval merging', 'merging done']);
  });
});
