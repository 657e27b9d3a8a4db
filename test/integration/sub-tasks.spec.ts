import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { type SourceAction, type SourceItem } from '../../src/modules/tasks/source-change.js';
import { TaskDependency } from '../../src/modules/tasks/task-dependency.entity.js';
import { TaskIntake } from '../../src/modules/tasks/task-intake.js';
import { lockToLink } from '../../src/modules/tasks/task-locks.js';
import { lockTask, TaskTransitions } from '../../src/modules/tasks/task-transitions.js';
import { Task, type TaskStatus } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeChange, makeItem } from '../factories/source-changes.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/until.js';

const PERSON = { type: 'user', id: 'u' } as const;

describe('a parent and its sub-tasks', () => {
  let database: TestDatabase;
  let db: DataSource;
  let others: DataSource;
  let team: Team;
  let transitions: TaskTransitions;

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    others = await connectTo(database.url);
    ({ team } = await makeWorkspace(db));
  });
  afterAll(async () => {
    await db.destroy();
    await others.destroy();
    await database.drop();
  });
  beforeEach(() => {
    transitions = new TaskTransitions();
  });

  const task = (values: Partial<Task> = {}): Promise<Task> => makeTask(db, team, values);
  const parts = (parent: Task, count: number, values: Partial<Task> = {}): Promise<Task[]> =>
    Promise.all(
      Array.from({ length: count }, () => task({ parent_id: parent.id, status: 'merging', ...values })),
    );
  const depend = (one: Task, on: Task) =>
    db.getRepository(TaskDependency).save({ task_id: one.id, depends_on_id: on.id, position: 0 });
  const row = (id: number): Promise<Task> => db.getRepository(Task).findOneByOrFail({ id });
  const move = (id: number, to: TaskStatus, source = db): Promise<Task> =>
    transitions.transition(source.manager, { task_id: id, to, actor: PERSON });
  const eventsOf = (id: number): Promise<{ type: string; data: object; actor: object }[]> =>
    db.query(
      `SELECT type, data, metadata->'actor' AS actor FROM task_events WHERE task_id = $1 ORDER BY id`,
      [id],
    );
  const closings = async (id: number): Promise<number> =>
    (await eventsOf(id)).filter(({ data }) => (data as { to: string }).to === 'done').length;

  it.each(['todo', 'in_progress'] as const)('closes from %s with its last sub-task', async (status) => {
    const parent = await task({ status, hold_reason: 'attempts_exhausted' });
    const [first, second] = await parts(parent, 2);
    await move(first!.id, 'done');
    expect((await row(parent.id)).status).toBe(status);
    await move(second!.id, 'done');
    expect(await row(parent.id)).toMatchObject({
      status: 'done',
      completed_at: expect.any(Date),
      hold_reason: null,
    });
    expect(await eventsOf(parent.id)).toEqual([
      {
        type: 'task.status_changed',
        data: { from: status, to: 'done', actor_id: 'subtasks', reason: 'subtasks_done' },
        actor: { type: 'system', id: 'subtasks' },
      },
    ]);
  });

  it('closes level by level, up to the top', async () => {
    const top = await task();
    const middle = await task({ parent_id: top.id, status: 'in_progress' });
    const [leaf] = await parts(middle, 1);
    const [sibling] = await parts(top, 1);
    await move(leaf!.id, 'done');
    expect([(await row(middle.id)).status, (await row(top.id)).status]).toEqual(['done', 'todo']);
    await move(sibling!.id, 'done');
    expect((await row(top.id)).status).toBe('done');
  });

  it('counts a cancelled sub-task as settled where another one is done', async () => {
    const parent = await task({ status: 'in_progress' });
    const [done, cancelled] = await parts(parent, 2, { status: 'todo' });
    await move(cancelled!.id, 'cancelled');
    expect((await row(parent.id)).status).toBe('in_progress');
    await db.getRepository(Task).update(done!.id, { status: 'merging' });
    await move(done!.id, 'done');
    expect((await row(parent.id)).status).toBe('done');
  });

  it.each(['todo', 'in_progress'] as const)(
    'needs a person when all are cancelled, from %s',
    async (status) => {
      const parent = await task({ status });
      for (const { id } of await parts(parent, 2, { status: 'todo' })) await move(id, 'cancelled');
      expect(await row(parent.id)).toMatchObject({ status: 'todo', hold_reason: 'subtasks_gone' });
      expect((await eventsOf(parent.id)).map(({ type }) => type)).toEqual([
        status === 'todo' ? 'task.held' : 'task.status_changed',
      ]);
    },
  );

  it('does not close a parent that somebody works on, nor one that a person reviews', async () => {
    transitions.closeNoneThatIs(() => Promise.resolve(true));
    for (const status of ['todo', 'in_progress', 'in_review', 'merging'] as const) {
      const parent = await task({ status });
      const [only] = await parts(parent, 1);
      await move(only!.id, 'done');
      expect((await row(parent.id)).status).toBe(status);
    }
  });

  it('does not let a parent go ahead of its sub-tasks', async () => {
    const parent = await task({ status: 'in_progress' });
    const [open] = await parts(parent, 1, { status: 'todo' });
    await expect(move(parent.id, 'in_review')).rejects.toMatchObject({ code: 'subtasks_open' });
    await db.getRepository(Task).update(parent.id, { status: 'merging' });
    await expect(move(parent.id, 'done')).rejects.toMatchObject({ code: 'subtasks_open' });
    await move(open!.id, 'cancelled');
    await expect(move(parent.id, 'done')).resolves.toMatchObject({ status: 'done' });
  });

  it('closes once when twenty finish at the same instant, by twos and all together', async () => {
    for (const [rounds, count] of [
      [10, 2],
      [2, 20],
    ] as const)
      for (let round = 0; round < rounds; round += 1) {
        const top = await task();
        const parent = await task({ parent_id: top.id, status: 'in_progress' });
        const all = await parts(parent, count);
        await Promise.all(all.map(({ id }, n) => move(id, 'done', n % 2 ? db : others)));
        expect([(await row(parent.id)).status, (await row(top.id)).status]).toEqual(['done', 'done']);
        expect([await closings(parent.id), await closings(top.id)]).toEqual([1, 1]);
      }
  });

  it('cancels what is open below it, all levels, with the listeners of each', async () => {
    const told: number[] = [];
    transitions.onTransition((_, { task: { id } }) => Promise.resolve(void told.push(id)));
    const top = await task({ status: 'in_progress' });
    const middle = await task({ parent_id: top.id });
    const [running] = await parts(middle, 1, { status: 'in_progress' });
    const [done] = await parts(top, 1, { status: 'done' });
    const [merging] = await parts(top, 1);
    await move(top.id, 'cancelled');
    expect(told).toEqual([top.id, middle.id, running!.id]);
    expect(await eventsOf(running!.id)).toMatchObject([
      { data: { from: 'in_progress', to: 'cancelled', reason: 'parent_cancelled', because_of: middle.id } },
    ]);
    // What is merging ends by itself, and does not bring the cancelled parent back.
    await move(merging!.id, 'done');
    expect((await row(done!.id)).status).toBe('done');
    expect((await row(top.id)).status).toBe('cancelled');
    expect(await closings(top.id)).toBe(0);
  });

  it('undoes all of a cancel when one listener fails', async () => {
    const parent = await task();
    const [last] = (await parts(parent, 3, { status: 'todo' })).slice(-1);
    transitions.onTransition((_, { task: { id } }) =>
      id === last!.id ? Promise.reject(new Error('no')) : Promise.resolve(),
    );
    await expect(move(parent.id, 'cancelled')).rejects.toThrow('no');
    expect(await db.getRepository(Task).countBy({ parent_id: parent.id, status: 'todo' })).toBe(3);
    expect((await row(parent.id)).status).toBe('todo');
  });

  it('cancels what depends on a cancelled task where it says so, and what hangs on that', async () => {
    const root = await task();
    const second = await task({ on_cancel: 'cancel' });
    const third = await task({ on_cancel: 'cancel' });
    const below = await task({ parent_id: third.id });
    const blocked = await task();
    const skips = await task({ on_cancel: 'skip' });
    const begun = await task({ on_cancel: 'cancel', status: 'in_progress' });
    const parent = await task({ status: 'in_progress' });
    await db.getRepository(Task).update(second.id, { parent_id: parent.id });
    await parts(parent, 1, { status: 'done' });
    await depend(second, root);
    await depend(third, second);
    for (const one of [blocked, skips, begun]) await depend(one, root);
    await move(root.id, 'cancelled');
    const status = async (one: Task) => (await row(one.id)).status;
    expect(await Promise.all([second, third, below].map(status))).toEqual(Array(3).fill('cancelled'));
    expect(await Promise.all([blocked, skips, begun].map(status))).toEqual(['todo', 'todo', 'in_progress']);
    expect(await status(parent)).toBe('done');
    expect(await eventsOf(third.id)).toMatchObject([
      {
        data: { to: 'cancelled', reason: 'dependency_cancelled', because_of: second.id },
        actor: { type: 'system', id: 'dependencies' },
      },
    ]);
    await expect(move(blocked.id, 'in_progress')).rejects.toMatchObject({
      code: 'blocked_by_dependencies',
      detail: `Blocked by unresolved dependencies: task ${root.id} (cancelled)`,
    });
    await expect(move(skips.id, 'in_progress')).resolves.toMatchObject({ status: 'in_progress' });
  });

  it('takes a dependency that was archived for what it was before', async () => {
    const done = await task({ status: 'archived', completed_at: new Date() });
    const cancelled = await task({ status: 'archived' });
    const [after, blocked] = [await task(), await task()];
    await depend(after, done);
    await depend(blocked, cancelled);
    await expect(move(after.id, 'in_progress')).resolves.toMatchObject({ status: 'in_progress' });
    await expect(move(blocked.id, 'in_progress')).rejects.toMatchObject({ code: 'blocked_by_dependencies' });
  });

  it('neither hangs nor ends halfway when a cancel races with finishing sub-tasks', async () => {
    for (let round = 0; round < 40; round += 1) {
      // Ids that do not follow the levels: locks by level would cross here.
      const [late] = [await task({ status: 'merging' })];
      const top = await task({ status: 'in_progress' });
      const middle = await task({ parent_id: top.id, status: 'in_progress' });
      const leaves = await parts(middle, 2);
      await db.getRepository(Task).update(late.id, { parent_id: middle.id });
      const waiting = await task({ on_cancel: 'cancel' });
      await depend(waiting, middle);
      const moves = [
        ...[late, ...leaves].map(({ id }, n) => move(id, 'done', n % 2 ? db : others)),
        move(top.id, 'cancelled', others),
        move(middle.id, 'cancelled'),
        move(waiting.id, 'cancelled', others),
      ];
      const failures = (await Promise.allSettled(moves)).flatMap((outcome) =>
        outcome.status === 'rejected' ? [(outcome.reason as { code: string }).code] : [],
      );
      expect(failures.filter((code) => code !== 'invalid_transition')).toEqual([]);
      const [above, between] = [await row(top.id), await row(middle.id)];
      expect(['done', 'cancelled']).toContain(above.status);
      if (above.status === 'done') expect(between.status).toBe('done');
      expect(await db.getRepository(Task).countBy({ parent_id: middle.id, status: 'done' })).toBe(3);
      expect((await row(waiting.id)).status).toBe('cancelled');
    }
  });

  it('keeps the links of the team still while what moves together is being locked', async () => {
    const late = await task();
    const top = await task();
    const [first, second] = (await parts(top, 2, { status: 'todo' })) as [Task, Task];
    const waiting = (type: string) =>
      until(async () => {
        const rows = await db.query(
          `SELECT 1 FROM pg_locks JOIN pg_stat_activity a USING (pid)
           WHERE NOT granted AND locktype = $1 AND a.datname = current_database()`,
          [type],
        );
        return rows.length > 0;
      }, `somebody to wait for a lock of type ${type}`);
    const holder = others.createQueryRunner();
    await holder.startTransaction();
    await lockTask(holder.manager, first.id);
    const cancel = move(top.id, 'cancelled');
    await waiting('transactionid');
    // Between the rows that the cancel has locked and those it has not.
    const link = db.transaction(async (manager) => {
      await lockToLink(manager, team.id, [late.id, second.id]);
      return manager.findOneByOrFail(Task, { id: second.id });
    });
    await waiting('advisory');
    await holder.rollbackTransaction();
    await holder.release();
    await cancel;
    expect((await link).status).toBe('cancelled');
  });

  describe('whose issue changes on GitHub', () => {
    const change = (action: SourceAction, item: SourceItem) =>
      makeChange(team, { action, item, policy: { sync: true } });
    const apply = async (source: DataSource, ...changes: ReturnType<typeof change>[]): Promise<number[]> => {
      const outcomes = await source.transaction((manager) =>
        new TaskIntake(transitions).apply(manager.queryRunner!, changes),
      );
      return outcomes.map(({ task_id }) => task_id!);
    };
    const later = (item: SourceItem): SourceItem => ({ ...item, updated_at: new Date() });

    it('are cancelled with it, by the delivery that says so', async () => {
      const item = makeItem();
      const [id] = await apply(db, change('opened', item));
      const [only] = await parts(await row(id!), 1, { status: 'todo' });
      const closed = change('closed', later(item));
      await apply(db, closed);
      expect((await row(only!.id)).status).toBe('cancelled');
      const [event] = await db.query(
        `SELECT metadata->>'delivery_id' AS delivery_id FROM task_events WHERE task_id = $1`,
        [only!.id],
      );
      expect(event.delivery_id).toBe(closed.delivery_id);
      await apply(db, change('reopened', { ...later(item), state: 'open' }));
      expect((await row(id!)).status).toBe('todo');
    });

    it('do not hang when batches of deliveries meet sub-tasks that finish', async () => {
      for (let round = 0; round < 15; round += 1) {
        const items = Array.from({ length: 4 }, () => makeItem());
        const ids = await apply(db, ...items.map((item) => change('opened', item)));
        // The oldest is a part of the youngest, and each waits for one of another tree.
        const trees = await Promise.all(ids.map(async (id) => parts(await row(id), 2)));
        await db.getRepository(Task).update(ids[0]!, { parent_id: ids[3]!, on_cancel: 'cancel' });
        await db.getRepository(Task).update(ids[2]!, { on_cancel: 'cancel' });
        await depend(await row(ids[0]!), await row(ids[2]!));
        await depend(await row(ids[2]!), await row(ids[1]!));
        const batch = (order: number[], action: SourceAction) =>
          order.map((n) => change(action, later({ ...items[n]!, labels: ['bug'] })));
        const outcomes = await Promise.allSettled([
          apply(others, ...batch([3, 1], 'closed')),
          apply(db, ...batch([0, 2], 'edited')),
          ...trees.flat().map(({ id }, n) => move(id, 'done', n % 2 ? db : others)),
          move(ids[1]!, 'cancelled'),
        ]);
        const unexpected = outcomes.flatMap((outcome) =>
          outcome.status === 'rejected' && (outcome.reason as { code: string }).code !== 'invalid_transition'
            ? [outcome.reason]
            : [],
        );
        expect(unexpected).toEqual([]);
        for (const { id } of trees.flat()) expect((await row(id)).status).toBe('done');
      }
    });
  });
});
