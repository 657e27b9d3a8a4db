import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assertPlan, circleIn, planHash } from './read-plan.js';
import { type SubtaskDto } from './subtasks.dto.js';

const plan = (...subtasks: Partial<SubtaskDto>[]): SubtaskDto[] =>
  subtasks.map((subtask) => ({ title: 'x', ...subtask }));
const fields = (subtasks: SubtaskDto[]): string[] => {
  try {
    assertPlan(subtasks);
    return [];
  } catch (error) {
    return (error as { extra: { errors: { field: string }[] } }).extra.errors.map(({ field }) => field);
  }
};

describe('a plan of sub-tasks', () => {
  it('gives each to one: a role, a name or an id', () => {
    expect(fields(plan({ role: 'engineer' }, { agent: 'Ada' }, { assignee_id: 'a' }, {}))).toEqual([]);
    expect(fields(plan({ role: 'engineer', agent: 'Ada', assignee_id: 'a' }))).toEqual([
      'subtasks.0.agent',
      'subtasks.0.assignee_id',
    ]);
  });

  it('points to other places of itself, earlier or later', () => {
    expect(fields(plan({ depends_on_indices: [1] }, {}))).toEqual([]);
    expect(fields(plan({ depends_on_indices: [0] }, { depends_on_indices: [2] }))).toEqual([
      'subtasks.0.depends_on_indices',
      'subtasks.1.depends_on_indices',
    ]);
  });

  it('has no circle', () => {
    expect(() => assertPlan(plan({ depends_on_indices: [1] }, { depends_on_indices: [0] }))).toThrow(
      'dependency_cycle',
    );
    expect(circleIn([[1], [2], [1]])).toBeGreaterThan(0);
    expect(circleIn([[1, 2], [2], []])).toBeNull();
  });

  it('has a circle exactly where a place can be reached from itself', () => {
    const reaches = (edges: number[][], from: number, to: number): boolean => {
      const seen = new Set(edges[from]);
      for (const place of seen) for (const next of edges[place]!) seen.add(next);
      return seen.has(to);
    };
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(6), { maxLength: 3 }), { minLength: 7, maxLength: 7 }),
        (edges) => {
          const found = circleIn(edges);
          const circles = edges.flatMap((_, place) => (reaches(edges, place, place) ? [place] : []));
          if (found === null) expect(circles).toEqual([]);
          else expect(circles).toContain(found);
        },
      ),
    );
  });

  it('is the same plan in another order of fields, and another plan in another order of tasks', () => {
    const a = { title: 'a', tags: ['x'], priority: 'high' } as const;
    const again = { priority: 'high', tags: ['x'], title: 'a', agent: undefined } as const;
    expect(planHash(plan({ ...a, tags: ['x'] }))).toEqual(planHash(plan({ ...again, tags: ['x'] })));
    expect(planHash(plan({ title: 'a' }, { title: 'b' }))).not.toEqual(
      planHash(plan({ title: 'b' }, { title: 'a' })),
    );
  });
});
