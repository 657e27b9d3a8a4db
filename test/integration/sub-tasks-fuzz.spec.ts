import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DomainError } from '../../src/errors/domain-error.js';
import { type Identity } from '../../src/modules/auth/identity.js';
import { TaskChanges } from '../../src/modules/tasks/changes/task-changes.js';
import { TaskCreation } from '../../src/modules/tasks/changes/task-creation.js';
import { Decomposition } from '../../src/modules/tasks/subtasks/decomposition.service.js';
import {
  ON_CANCEL,
  TASK_STATUSES,
  type OnCancel,
  type TaskStatus,
} from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';

/** Numbers name tasks: the one at that place, counted round. */
type Step =
  | { do: 'create'; parent: number; on: number[]; on_cancel: OnCancel }
  | { do: 'decompose'; parent: number; on: number[]; index: number; on_cancel: OnCancel }
  | { do: 'parent'; task: number; parent: number }
  | { do: 'detach'; task: number }
  | { do: 'depend'; task: number; on: number[]; on_cancel: OnCancel }
  | { do: 'move'; task: number; to: TaskStatus };

const place = fc.nat(30);
const on = fc.array(place, { maxLength: 2 });
const on_cancel = fc.constantFrom(...ON_CANCEL);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('create' as const), parent: place, on, on_cancel }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('decompose' as const),
      parent: place,
      on,
      index: fc.nat(1),
      on_cancel,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('parent' as const), task: place, parent: place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('detach' as const), task: place }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('depend' as const), task: place, on, on_cancel }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      task: place,
      to: fc.constantFrom(...TASK_STATUSES, ...Array<'done'>(6).fill('done')),
    }),
  },
);

/** What a caller may be told; anything else is a fault of ours. */
const EXPECTED = new Set([
  'invalid_transition',
  'blocked_by_dependencies',
  'subtasks_open',
  'task_takes_no_subtasks',
  'task_finished',
  'dependencies_fixed',
  'dependency_invalid',
  'dependency_cycle',
  'parent_cycle',
  'parent_too_deep',
]);

/** Rethrows what is no refusal. */
function orExpected(error: unknown): void {
  if (!(error instanceof DomainError && EXPECTED.has(error.code))) throw error;
}

/** Each query finds what must never be; `$1` is the team. */
const NEVER: Record<string, string> = {
  'a circle of what waits for what': `
    WITH RECURSIVE edges AS (
      SELECT d.task_id AS a, d.depends_on_id AS b FROM task_dependencies d JOIN tasks t ON t.id = d.task_id
      WHERE t.team_id = $1
      UNION SELECT parent_id, id FROM tasks WHERE team_id = $1 AND parent_id IS NOT NULL
    ), reached AS (SELECT a, b FROM edges UNION SELECT r.a, e.b FROM reached r JOIN edges e ON e.a = r.b)
    SELECT a FROM reached WHERE a = b`,
  'a task that depends on what is above or below it': `
    WITH RECURSIVE up AS (
      SELECT id, parent_id AS above FROM tasks WHERE team_id = $1 AND parent_id IS NOT NULL
      UNION SELECT u.id, p.parent_id FROM up u JOIN tasks p ON p.id = u.above WHERE p.parent_id IS NOT NULL)
    SELECT 1 FROM up JOIN task_dependencies d
      ON d.task_id = up.id AND d.depends_on_id = up.above OR d.task_id = up.above AND d.depends_on_id = up.id`,
  'more than five tasks above one': `
    WITH RECURSIVE up AS (
      SELECT id, parent_id, 0 AS level FROM tasks WHERE team_id = $1
      UNION ALL SELECT u.id, p.parent_id, level + 1 FROM up u JOIN tasks p ON p.id = u.parent_id)
    SELECT id FROM up WHERE level > 5`,
  'a parent that is open though all below it is settled and something done': `
    SELECT p.id FROM tasks p JOIN tasks c ON c.parent_id = p.id WHERE p.team_id = $1 AND p.status IN ('todo', 'in_progress')
    GROUP BY p.id HAVING bool_and(c.status IN ('done', 'cancelled', 'archived'))
      AND bool_or(c.status = 'done' OR c.status = 'archived' AND c.completed_at IS NOT NULL)`,
  'a parent that went ahead of what is below it': `
    SELECT p.id FROM tasks p JOIN tasks c ON c.parent_id = p.id
    WHERE p.team_id = $1 AND (p.status IN ('in_review', 'in_approval', 'merging', 'done') OR p.completed_at IS NOT NULL)
      AND c.status NOT IN ('done', 'cancelled', 'archived')`,
  'a cancelled parent with something below it that is not merging': `
    SELECT p.id FROM tasks p JOIN tasks c ON c.parent_id = p.id
    WHERE p.team_id = $1 AND p.status = 'cancelled' AND c.status NOT IN ('done', 'cancelled', 'archived', 'merging')`,
  'a task that closed twice': `
    SELECT e.task_id FROM task_events e JOIN tasks t ON t.id = e.task_id
    WHERE t.team_id = $1 AND e.data->>'to' = 'done' GROUP BY 1 HAVING count(*) > 1`,
  'a task that waits though its dependency was to cancel it': `
    SELECT t.id FROM tasks t JOIN task_dependencies d ON d.task_id = t.id JOIN tasks b ON b.id = d.depends_on_id
    WHERE t.team_id = $1 AND t.status = 'todo' AND t.on_cancel = 'cancel'
      AND (b.status = 'cancelled' OR b.status = 'archived' AND b.completed_at IS NULL)`,
  'a status that its events do not tell': `
    SELECT t.id FROM tasks t WHERE t.team_id = $1 AND t.status <> coalesce((
      SELECT e.data->>'to' FROM task_events e
      WHERE e.task_id = t.id AND e.type = 'task.status_changed' ORDER BY e.id DESC LIMIT 1), 'todo')`,
};

describe('random trees of tasks, changed by many at once', () => {
  let service: TestService;
  let creation: TaskCreation;
  let changes: TaskChanges;
  let decomposition: Decomposition;
  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_ROLES: ['api'] });
    creation = service.app.get(TaskCreation, { strict: false });
    changes = service.app.get(TaskChanges, { strict: false });
    decomposition = service.app.get(Decomposition, { strict: false });
  });
  afterAll(() => service.close());

  const take = async (team: Team, ids: number[], one: Step): Promise<void> => {
    const identity: Identity = {
      actor: { type: 'user', id: 'u' },
      org_ids: [team.org_id],
      roles: {},
      scopes: ['all'],
    };
    const id = (at: number): number => ids[at % ids.length]!;
    const set = (places: number[]): number[] => [...new Set(places.map(id))];
    switch (one.do) {
      case 'create': {
        const { on_cancel } = one;
        const dto = { title: 'x', parent_id: id(one.parent), depends_on: set(one.on), on_cancel };
        ids.push((await creation.create(identity, team.id, dto)).id);
        return;
      }
      case 'decompose': {
        const made = await decomposition.decompose(
          identity,
          id(one.parent),
          [
            { title: 'a', depends_on: set(one.on), depends_on_indices: one.index === 0 ? [1] : [] },
            { title: 'b', on_cancel: one.on_cancel, depends_on_indices: one.index === 1 ? [0] : [] },
          ],
          null,
        );
        ids.push(...made.map((task) => task.id));
        return;
      }
      case 'parent':
        await changes.update(identity, id(one.task), { parent_id: id(one.parent) });
        return;
      case 'detach':
        await changes.detach(identity, id(one.task));
        return;
      case 'depend': {
        const { on_cancel } = one;
        await changes.setDependencies(identity, id(one.task), { depends_on: set(one.on), on_cancel });
        return;
      }
      case 'move': {
        // A merge that fails under a cancelled parent goes on: of no interest here.
        const [{ status }] = await service.db.query('SELECT status FROM tasks WHERE id = $1', [id(one.task)]);
        if (status === 'merging' && one.to !== 'done') return;
        // Shorter ways to the end, since a random walk seldom gets there.
        if (one.to === 'done')
          for (const to of ['in_progress', 'in_review', 'in_approval', 'merging'] as const)
            await changes.changeStatus(identity, id(one.task), { status: to }).catch(orExpected);
        await changes.changeStatus(identity, id(one.task), { status: one.to });
      }
    }
  };

  it('stay whole', async () => {
    let closed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 5, maxLength: 25 }),
        async (rounds) => {
          const team = await makeTeam(service.db, (await makeOrganization(service.db)).id);
          const ids: number[] = [];
          for (let n = 0; n < 4; n += 1) ids.push((await makeTask(service.db, team)).id);
          for (const steps of rounds) {
            const outcomes = await Promise.allSettled(steps.map((one) => take(team, ids, one)));
            for (const outcome of outcomes) if (outcome.status === 'rejected') orExpected(outcome.reason);
            for (const [what, sql] of Object.entries(NEVER))
              expect([what, await service.db.query(sql, [team.id])]).toEqual([what, []]);
          }
          const [row] = await service.db.query(
            `SELECT count(*)::int AS closed FROM task_events e JOIN tasks t ON t.id = e.task_id
             WHERE t.team_id = $1 AND e.data->>'reason' = 'subtasks_done'`,
            [team.id],
          );
          closed += row.closed as number;
        },
      ),
      { numRuns: 20 },
    );
    expect(closed).toBeGreaterThan(0);
  }, 240_000);
});
