import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { TaskDependency } from '../../src/modules/tasks/task-dependency.entity.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/task-transitions.js';
import { Task, type TaskStatus } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

const PERSON = { type: 'user', id: 'u' } as const;

describe('transitions of a task', () => {
  let database: TestDatabase;
  let db: DataSource;
  let team: Team;
  let transitions: TaskTransitions;

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    ({ team } = await makeWorkspace(db));
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });
  beforeEach(() => {
    transitions = new TaskTransitions();
  });
  afterEach(() => db.query('DELETE FROM task_dependencies'));

  const move = (task_id: number, to: TaskStatus): Promise<Task> =>
    transitions.transition(db.manager, { task_id, to, actor: PERSON });
  const outcomes = async (moves: Promise<unknown>[]): Promise<string[]> =>
    (await Promise.allSettled(moves)).map((outcome) =>
      outcome.status === 'fulfilled' ? 'won' : (outcome.reason as { code: string }).code,
    );

  it('writes the event, bumps the version, sets completed_at on done alone', async () => {
    const { id } = await makeTask(db, team, { status: 'merging' });
    const done = await transitions.transition(db.manager, {
      task_id: id,
      to: 'done',
      actor: PERSON,
      reason: 'all merged',
      claimed: { actor_id: 'somebody' },
    });
    expect(done).toMatchObject({ status: 'done', version: 2, completed_at: expect.any(Date) });
    expect((await move(id, 'archived')).completed_at).toEqual(done.completed_at);
    const [event] = await db.getRepository(TaskEvent).findBy({ task_id: id });
    expect(event).toMatchObject({
      type: 'task.status_changed',
      data: { from: 'merging', to: 'done', actor_id: 'u', reason: 'all merged' },
      metadata: { actor: PERSON, correlation_id: done.correlation_id, claimed: { actor_id: 'somebody' } },
    });
  });

  it('lets exactly one of many parallel changes win, at every step', async () => {
    const { id } = await makeTask(db, team);
    for (const step of ['in_progress', 'in_review', 'in_approval', 'merging', 'done', 'archived'] as const) {
      const result = await outcomes(Array.from({ length: 20 }, () => move(id, step)));
      expect(result.filter((outcome) => outcome === 'won')).toHaveLength(1);
      expect(new Set(result)).toEqual(new Set(['won', 'invalid_transition']));
    }
    expect(await db.getRepository(TaskEvent).countBy({ task_id: id })).toBe(6);
    expect(await db.getRepository(Task).findOneBy({ id })).toMatchObject({ status: 'archived', version: 7 });
  });

  it('never lets start and finish of two different ways both win', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await makeTask(db, team, { status: 'in_progress' });
      const result = await outcomes([move(id, 'in_review'), move(id, 'todo')]);
      expect(result.toSorted()).toEqual(['invalid_transition', 'won']);
    }
  });

  it('starts and cancels one after the other: a cancel either stops the start or is told of it', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await makeTask(db, team);
      const seen: string[] = [];
      transitions = new TaskTransitions();
      transitions.onTransition((_, { from, to }) => {
        seen.push(`${from} ${to}`);
        return Promise.resolve();
      });
      await Promise.allSettled([move(id, 'in_progress'), move(id, 'cancelled')]);
      expect(await db.getRepository(Task).findOneBy({ id })).toMatchObject({ status: 'cancelled' });
      expect([['todo in_progress', 'in_progress cancelled'], ['todo cancelled']]).toContainEqual(seen);
    }
  });

  it('names every dependency that blocks the start', async () => {
    const task = await makeTask(db, team);
    const first = await makeTask(db, team, { status: 'cancelled' });
    const second = await makeTask(db, team, { status: 'in_review' });
    const third = await makeTask(db, team, { status: 'done' });
    await db.getRepository(TaskDependency).save(
      [first, second, third].map(({ id }, position) => ({
        task_id: task.id,
        depends_on_id: id,
        position,
      })),
    );
    await expect(move(task.id, 'in_progress')).rejects.toMatchObject({
      code: 'blocked_by_dependencies',
      detail: `Blocked by unresolved dependencies: task ${first.id} (cancelled), task ${second.id} (in_review)`,
    });
    await expect(move(task.id, 'cancelled')).resolves.toMatchObject({ status: 'cancelled' });
  });

  it('undoes the change when a listener fails', async () => {
    const { id } = await makeTask(db, team);
    transitions.onTransition(() => Promise.reject(new Error('no')));
    await expect(move(id, 'cancelled')).rejects.toThrow('no');
    expect(await db.getRepository(Task).findOneBy({ id })).toMatchObject({ status: 'todo', version: 1 });
    expect(await db.getRepository(TaskEvent).countBy({ task_id: id })).toBe(0);
  });

  it('leaves review and merge to others than agents', async () => {
    const { id } = await makeTask(db, team, { status: 'in_review' });
    const agent = { type: 'agent', id: 'a' } as const;
    await expect(
      transitions.transition(db.manager, { task_id: id, to: 'in_approval', actor: agent }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    await expect(
      transitions.transition(db.manager, { task_id: id, to: 'in_progress', actor: agent }),
    ).resolves.toMatchObject({ status: 'in_progress' });
  });

  it('reopens what is finished for a new attempt, and keeps a hold of trust', async () => {
    const { id } = await makeTask(db, team, {
      status: 'done',
      completed_at: new Date(),
      failed_runs: 2,
      hold_reason: 'awaiting_release',
    });
    expect(await transitions.reopen(db.manager, { task_id: id, actor: PERSON })).toMatchObject({
      status: 'todo',
      completed_at: null,
      failed_runs: 0,
      hold_reason: 'awaiting_release',
    });
    expect(await transitions.reopen(db.manager, { task_id: id, actor: PERSON })).toBeNull();
    const events = await db.getRepository(TaskEvent).findBy({ task_id: id });
    expect(events.map((event) => event.type)).toEqual(['task.reopened']);
  });

  it('says 404 for a task that is not there', async () => {
    await expect(move(999_999, 'done')).rejects.toMatchObject({
      code: 'task_not_found',
      detail: 'Task not found',
    });
  });
});
