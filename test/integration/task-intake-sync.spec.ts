import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { Message } from '../../src/modules/tasks/message.entity.js';
import {
  type SourceAction,
  type SourceChange,
  type SourceItem,
  type SourceOutcome,
} from '../../src/modules/tasks/source-change.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { TaskIntake } from '../../src/modules/tasks/task-intake.js';
import { TaskSource } from '../../src/modules/tasks/task-source.entity.js';
import { type TaskTransition, TaskTransitions } from '../../src/modules/tasks/task-transitions.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeChange, makeItem } from '../factories/source-changes.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

const PERSON = { type: 'user', id: 'u' } as const;
const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));

function permutations<T>(items: T[]): T[][] {
  if (items.length <= 1) return [items];
  return items.flatMap((item, n) => permutations(items.toSpliced(n, 1)).map((rest) => [item, ...rest]));
}

describe('intake that follows what happens after opening', () => {
  let database: TestDatabase;
  let db: DataSource;
  let team: Team;
  let agent: Agent;
  let transitions: TaskTransitions;
  let intake: TaskIntake;
  let moved: TaskTransition[];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    ({ team, agent } = await makeWorkspace(db));
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });
  beforeEach(() => {
    moved = [];
    transitions = new TaskTransitions();
    transitions.onTransition((_, transition) => {
      moved.push(transition);
      return Promise.resolve();
    });
    intake = new TaskIntake(transitions);
  });

  type Extra = Parameters<typeof makeChange>[1];
  const change = (action: SourceAction, item: SourceItem, extra: Extra = {}): SourceChange =>
    makeChange(team, { action, item, ...extra, policy: { sync: true, ...extra.policy } });
  const apply = (...changes: SourceChange[]): Promise<SourceOutcome[]> =>
    db.transaction((manager) => intake.apply(manager.queryRunner!, changes));
  const one = async (change: SourceChange): Promise<SourceOutcome> => (await apply(change))[0]!;
  const taskOf = (id: number): Promise<Task> => db.getRepository(Task).findOneByOrFail({ id });
  const sourceOf = (item: SourceItem): Promise<TaskSource> =>
    db.getRepository(TaskSource).findOneByOrFail({ org_id: team.org_id, key: item.key });
  const typesOf = async (task_id: number): Promise<string[]> =>
    (await db.getRepository(TaskEvent).find({ where: { task_id }, order: { id: 'ASC' } })).map(
      ({ type }) => type,
    );
  const start = (task_id: number) =>
    transitions.transition(db.manager, {
      task_id,
      to: 'in_progress',
      actor: PERSON,
      patch: { assignee_id: agent.id },
    });

  /** Everything that counts of a task and its source, but for ids and counters. */
  const endState = async (key: string): Promise<object> => {
    const source = await db.getRepository(TaskSource).findOneByOrFail({ org_id: team.org_id, key });
    const [made] = await db.query<{ tasks: number }[]>(
      `SELECT count(*)::int AS tasks FROM task_events WHERE type = 'task.created' AND data->'source'->>'key' = $1`,
      [key],
    );
    const { title, description, status, priority, tags, hold_reason } = await taskOf(source.task_id!);
    const { labels, state, state_reason, draft } = source;
    return {
      tasks: made!.tasks,
      task: {
        title,
        description,
        status,
        priority,
        tags: tags.toSorted((a, b) => a.localeCompare(b)),
        hold_reason,
      },
      source: { labels, state, state_reason, draft },
    };
  };

  /** The same events in every order of arrival, one by one and all in one transaction: one end. */
  const sameEnd = async (events: (item: SourceItem) => SourceChange[]): Promise<object> => {
    const ends: string[] = [];
    const probe = events(makeItem({ number: 1 }));
    for (const order of permutations(probe.map((_, n) => n)))
      for (const together of [false, true]) {
        const item = makeItem();
        const changes = events(item);
        const arriving = order.map((n) => changes[n]!);
        if (together) await apply(...arriving);
        else for (const arrival of arriving) await apply(arrival);
        const text = JSON.stringify(await endState(item.key));
        ends.push(text.replaceAll(`#${item.number}`, '#1'));
      }
    expect([...new Set(ends)]).toHaveLength(1);
    return JSON.parse(ends[0]!) as object;
  };

  it('ends the same in every order: labels, an edit and closing', async () => {
    const end = await sameEnd((item) => {
      const edited = { ...item, title: 'Edited', body: 'New text' };
      return [
        change('opened', { ...item, labels: ['bug'], updated_at: at(0) }),
        change('labeled', { ...item, labels: ['bug', 'P0'], updated_at: at(9) }, { label: 'P0' }),
        change('unlabeled', { ...item, labels: ['P0'], updated_at: at(9) }, { label: 'bug' }),
        change('edited', { ...edited, updated_at: at(2) }),
        change('closed', { ...edited, state: 'closed', state_reason: 'not_planned', updated_at: at(3) }),
      ];
    });
    expect(end).toMatchObject({
      tasks: 1,
      task: {
        title: '[GitHub] Edited',
        status: 'cancelled',
        priority: 'critical',
        tags: ['github', 'issue', 'P0'],
      },
      source: { state: 'closed', state_reason: 'not_planned', labels: { bug: false, P0: true } },
    });
  });

  it('ends the same in every order: closing and reopening', async () => {
    const end = await sameEnd((item) => [
      change('opened', { ...item, updated_at: at(0) }),
      change('closed', { ...item, state: 'closed', updated_at: at(1) }),
      change('reopened', { ...item, state_reason: 'reopened', updated_at: at(2) }),
      change('edited', { ...item, title: 'Again', updated_at: at(3) }),
    ]);
    expect(end).toMatchObject({
      task: { status: 'todo', title: '[GitHub] Again' },
      source: { state: 'open' },
    });
  });

  it('ends the same in every order: drafts', async () => {
    const end = await sameEnd((item) => {
      const pull = { ...item, kind: 'pull_request' as const };
      return [
        change('opened', { ...pull, draft: true, updated_at: at(0) }, { policy: { hold_reason: 'draft' } }),
        change('ready_for_review', { ...pull, draft: false, updated_at: at(1) }),
        change(
          'converted_to_draft',
          { ...pull, draft: true, updated_at: at(2) },
          { policy: { hold_reason: 'draft' } },
        ),
        change('labeled', { ...pull, draft: true, updated_at: at(3) }, { label: 'high' }),
      ];
    });
    expect(end).toMatchObject({
      task: {
        status: 'todo',
        hold_reason: 'draft',
        priority: 'high',
        tags: ['github', 'high', 'pull_request'],
      },
    });
  });

  it('ends the same in every order: deletion', async () => {
    const end = await sameEnd((item) => [
      change('opened', { ...item, title: 'Secret', body: 'Secret', updated_at: at(0) }),
      change('edited', { ...item, title: 'Secret too', body: 'Secret', updated_at: at(1) }),
      change('labeled', { ...item, updated_at: at(1) }, { label: 'bug' }),
      change('deleted', { ...item, title: 'Secret', updated_at: at(2) }),
    ]);
    expect(end).toMatchObject({ task: { status: 'cancelled' }, source: { state: 'deleted' } });
    expect(JSON.stringify(end)).not.toContain('Secret');
  });

  describe('labels', () => {
    it('re-rank what waits, and the last word on a label wins', async () => {
      const item = makeItem({ labels: ['bug'] });
      const { task_id } = await one(change('opened', item));
      const up = await one(change('labeled', item, { label: 'Urgent' }));
      expect(up).toEqual({ task_id, actions: [`re-ranked task #${task_id} to critical`] });
      expect(await taskOf(task_id!)).toMatchObject({ tags: ['github', 'issue', 'bug', 'Urgent'] });
      await one(change('unlabeled', item, { label: 'Urgent' }));
      expect(await taskOf(task_id!)).toMatchObject({ priority: 'medium', tags: ['github', 'issue', 'bug'] });
    });

    it('leave a priority set by hand where they do not speak of it', async () => {
      const item = makeItem();
      const { task_id } = await one(change('opened', item));
      await db.getRepository(Task).save({ id: task_id!, priority: 'low' });
      await one(change('labeled', item, { label: 'documentation' }));
      expect(await taskOf(task_id!)).toMatchObject({ priority: 'low' });
    });

    it('only note what they would have done once work has started', async () => {
      const item = makeItem();
      const { task_id } = await one(change('opened', item));
      await start(task_id!);
      const outcome = await one(change('labeled', item, { label: 'critical' }));
      expect(outcome.actions).toEqual([`updated the tags of task #${task_id}`]);
      expect(await taskOf(task_id!)).toMatchObject({ priority: 'medium' });
      const [event] = await db
        .getRepository(TaskEvent)
        .find({ where: { task_id: task_id! }, order: { id: 'DESC' }, take: 1 });
      expect(event!.data).toMatchObject({ not_applied: 'critical' });
      await one(change('closed', { ...item, state: 'closed', updated_at: at(1) }));
      const reopened = await one(change('reopened', { ...item, updated_at: at(2) }));
      expect(reopened.actions).toEqual([
        `reopened task #${task_id}`,
        `re-ranked task #${task_id} to critical`,
      ]);
      expect(await taskOf(task_id!)).toMatchObject({ status: 'todo', priority: 'critical' });
    });

    it('follow the map of the webhook', async () => {
      const policy = { label_priorities: { Blocker: 'critical' as const } };
      const item = makeItem({ labels: ['P0', ' BLOCKER'] });
      const { task_id } = await one(change('opened', item, { policy }));
      expect(await taskOf(task_id!)).toMatchObject({ priority: 'critical' });
      await one(change('unlabeled', item, { label: ' BLOCKER', policy }));
      expect(await taskOf(task_id!)).toMatchObject({ priority: 'medium' });
    });
  });

  describe('edits', () => {
    it('revise what has not started; an older one is stale', async () => {
      const item = makeItem({ updated_at: at(0) });
      const { task_id } = await one(change('opened', item));
      const edited = await one(change('edited', { ...item, body: 'Newer', updated_at: at(2) }));
      expect(edited.actions).toEqual([`revised task #${task_id}`]);
      expect(await one(change('edited', { ...item, body: 'Older', updated_at: at(1) }))).toEqual({
        task_id,
        actions: [],
        reason: 'stale',
      });
      expect(await taskOf(task_id!)).toMatchObject({ description: `GitHub Issue #${item.number}\n\nNewer` });
      expect(await one(change('edited', { ...item, body: 'Newer', updated_at: at(3) }))).toMatchObject({
        reason: 'no_change',
      });
    });

    it('are noted and told to the assignee once work has started, and used for the next attempt', async () => {
      const item = makeItem({ updated_at: at(0) });
      const { task_id } = await one(change('opened', item));
      await start(task_id!);
      const edited = { ...item, title: 'Rather this', body: 'Newer' };
      const outcome = await one(change('edited', { ...edited, updated_at: at(1) }));
      expect(outcome.actions).toEqual([`noted an edit after task #${task_id} had started`]);
      expect(await taskOf(task_id!)).toMatchObject({ title: '[GitHub] Fix the login' });
      expect(await sourceOf(item)).toMatchObject({ edited_after_start: true });
      const [message] = await db.getRepository(Message).findBy({ task_id: task_id! });
      expect(message).toMatchObject({ recipient_id: agent.id, actor: { type: 'github', id: 'ada' } });
      expect(message!.content).toContain('Rather this');
      const events = await db.getRepository(TaskEvent).findBy({ task_id: task_id! });
      expect(events.at(-1)).toMatchObject({ type: 'task.revised', data: { applied: false } });
      expect(JSON.stringify(events)).not.toContain('Rather this');
      await one(change('closed', { ...edited, state: 'closed', updated_at: at(2) }));
      await one(change('reopened', { ...edited, updated_at: at(3) }));
      expect(await taskOf(task_id!)).toMatchObject({ status: 'todo', title: '[GitHub] Rather this' });
      expect(await sourceOf(item)).toMatchObject({ edited_after_start: false });
    });
  });

  describe('closing', () => {
    const closed = (item: SourceItem, extra: Extra = {}) =>
      change('closed', { ...item, state: 'closed', state_reason: 'completed', updated_at: at(5) }, extra);

    it('cancels what waits and stops what runs, through the listeners', async () => {
      for (const started of [false, true]) {
        const item = makeItem();
        const { task_id } = await one(change('opened', item));
        if (started) await start(task_id!);
        moved = [];
        const outcome = await one(closed(item));
        expect(outcome).toEqual({ task_id, actions: [`cancelled task #${task_id}`] });
        expect(moved).toMatchObject([{ to: 'cancelled', actor: { type: 'github', id: 'ada' } }]);
        expect(moved[0]!.reason).toBe(`issue #${item.number}: closed as completed`);
      }
    });

    it('leaves finished work for a person', async () => {
      const item = makeItem();
      const { task_id } = await one(change('opened', item));
      await start(task_id!);
      await transitions.transition(db.manager, { task_id: task_id!, to: 'in_review', actor: PERSON });
      expect(await one(closed(item))).toMatchObject({ reason: 'no_change' });
      expect(await taskOf(task_id!)).toMatchObject({ status: 'in_review' });
      expect((await typesOf(task_id!)).at(-1)).toBe('source.closed');
    });

    it('keeps that a pull request was merged', async () => {
      const item = makeItem({ kind: 'pull_request' });
      await one(change('opened', item));
      await one(closed(item, { merged: true }));
      expect(await sourceOf(item)).toMatchObject({ state: 'closed', state_reason: 'merged' });
    });

    it('before opening makes a cancelled task that no agent gets', async () => {
      const item = makeItem();
      expect(await one(closed(item))).toEqual({ task_id: null, actions: [], reason: 'no_task' });
      const opened = await one(change('opened', item, { policy: { auto_assign: true } }));
      expect(opened.actions).toHaveLength(1);
      expect(await taskOf(opened.task_id!)).toMatchObject({ status: 'cancelled', assignee_id: null });
    });
  });

  describe('reopening', () => {
    it('is a new attempt of the same task, also when it was done', async () => {
      const item = makeItem();
      const { task_id } = await one(change('opened', item));
      await db.getRepository(Task).save({ id: task_id!, status: 'done', completed_at: new Date() });
      await one(change('closed', { ...item, state: 'closed', updated_at: at(1) }));
      expect(await taskOf(task_id!)).toMatchObject({ status: 'done' });
      const outcome = await one(change('reopened', { ...item, updated_at: at(2) }));
      expect(outcome).toEqual({ task_id, actions: [`reopened task #${task_id}`] });
      expect(await taskOf(task_id!)).toMatchObject({ status: 'todo', completed_at: null });
      expect(await typesOf(task_id!)).toEqual(['task.created', 'task.reopened']);
      expect(await one(change('closed', { ...item, state: 'closed', updated_at: at(1) }))).toMatchObject({
        reason: 'stale',
      });
    });

    it('does not bring back a task cancelled by hand when the issue is merely edited', async () => {
      const item = makeItem();
      const { task_id } = await one(change('opened', item));
      await transitions.transition(db.manager, { task_id: task_id!, to: 'cancelled', actor: PERSON });
      await one(change('edited', { ...item, body: 'x', updated_at: at(1) }));
      expect(await taskOf(task_id!)).toMatchObject({ status: 'cancelled' });
    });

    it('keeps an outsider waiting', async () => {
      const item = makeItem();
      const { task_id } = await one(change('opened', item, { policy: { hold_reason: 'awaiting_release' } }));
      await one(change('closed', { ...item, state: 'closed', updated_at: at(1) }));
      await one(change('reopened', { ...item, updated_at: at(2) }));
      expect(await taskOf(task_id!)).toMatchObject({ status: 'todo', hold_reason: 'awaiting_release' });
    });
  });

  describe('drafts', () => {
    it('do not become a way around trust', async () => {
      const item = makeItem({ kind: 'pull_request', draft: true });
      const { task_id } = await one(change('opened', item, { policy: { hold_reason: 'draft' } }));
      await one(
        change(
          'ready_for_review',
          { ...item, draft: false, updated_at: at(1) },
          { policy: { hold_reason: 'awaiting_release' } },
        ),
      );
      expect(await taskOf(task_id!)).toMatchObject({ hold_reason: 'awaiting_release' });
    });

    it('wait, go and wait again', async () => {
      const item = makeItem({ kind: 'pull_request', draft: true });
      const { task_id } = await one(change('opened', item));
      expect(await taskOf(task_id!)).toMatchObject({ hold_reason: 'draft' });
      await one(change('ready_for_review', { ...item, updated_at: at(1) }));
      expect(await taskOf(task_id!)).toMatchObject({ hold_reason: null });
      await one(change('converted_to_draft', { ...item, updated_at: at(2) }));
      expect(await taskOf(task_id!)).toMatchObject({ hold_reason: 'draft' });
      expect(await typesOf(task_id!)).toEqual(['task.created', 'task.ready', 'task.held']);
    });
  });

  describe('a transfer', () => {
    const pair = (): [SourceItem, SourceItem] => {
      const there = makeItem();
      return [makeItem(), { ...there, key: there.key.replace('/7/', '/8/'), repository: 'acme/api' }];
    };

    it('moves the task, in either order, and makes none', async () => {
      for (const transferredFirst of [true, false]) {
        const [old, there] = pair();
        const { task_id } = await one(change('opened', old));
        const steps = [
          change('transferred', old, { other_key: there.key }),
          change('opened', there, { other_key: old.key }),
        ];
        const outcomes: SourceOutcome[] = [];
        for (const step of transferredFirst ? steps : steps.toReversed()) outcomes.push(await one(step));
        expect(outcomes.map((outcome) => outcome.task_id)).toContain(task_id);
        expect(outcomes.flatMap((outcome) => outcome.actions).join()).not.toContain('created');
        expect(await sourceOf(there)).toMatchObject({ task_id, number: there.number, state: 'open' });
        expect(await sourceOf(old)).toMatchObject({
          task_id: null,
          state: 'transferred',
          state_reason: there.key,
        });
        expect(await taskOf(task_id!)).toMatchObject({
          status: 'todo',
          description: `GitHub Issue #${there.number}\n\nIt does not work.`,
        });
        expect(await one(change('opened', old))).toMatchObject({ task_id, reason: 'already_exists' });
        const late = await one(change('closed', { ...there, state: 'closed', updated_at: at(9) }));
        expect(late.actions).toEqual([`cancelled task #${task_id}`]);
      }
    });

    it('makes one task when the old place was never heard of, and none for it later', async () => {
      const [old, there] = pair();
      const { task_id, actions } = await one(change('opened', there, { other_key: old.key }));
      expect(actions).toHaveLength(1);
      expect(await one(change('opened', old))).toEqual({ task_id, actions: [], reason: 'already_exists' });
      expect(await one(change('transferred', old, { other_key: there.key }))).toMatchObject({
        reason: 'no_change',
      });
    });

    it('moves the task also without sync, since it is the same issue', async () => {
      const [old, there] = pair();
      const { task_id } = await one(makeChange(team, { item: old }));
      const outcome = await one(makeChange(team, { item: there, other_key: old.key }));
      expect(outcome).toMatchObject({ task_id, reason: 'already_exists' });
    });
  });

  it('deletion cancels, redacts and keeps the audit', async () => {
    const item = makeItem({ title: 'Secret', body: 'Secret' });
    const { task_id } = await one(change('opened', item));
    await start(task_id!);
    await one(change('edited', { ...item, body: 'Secret again', updated_at: at(1) }));
    const outcome = await one(change('deleted', { ...item, updated_at: at(2) }));
    expect(outcome.actions).toEqual([`cancelled task #${task_id}`, `redacted task #${task_id}`]);
    const task = await taskOf(task_id!);
    expect(task).toMatchObject({ status: 'cancelled', title: '[GitHub] (deleted on GitHub)' });
    expect(task.description).toBe(`GitHub Issue #${item.number}\n\n(deleted on GitHub)`);
    const all = [
      await db.getRepository(TaskEvent).findBy({ task_id: task_id! }),
      await db.getRepository(Message).findBy({ task_id: task_id! }),
      await sourceOf(item),
    ];
    expect(JSON.stringify(all)).not.toContain('Secret');
    expect(await one(change('reopened', { ...item, updated_at: at(3) }))).toMatchObject({ reason: 'stale' });
  });

  it('takes the same events from many connections at once without a deadlock', async () => {
    const items = Array.from({ length: 6 }, () => makeItem());
    const batches = items.map((_, n) => {
      const order = n % 2 === 0 ? items : items.toReversed();
      return order.flatMap((item) => [
        change('opened', { ...item, updated_at: at(0) }, { policy: { auto_assign: true } }),
        change('labeled', item, { label: 'high' }),
        change('closed', { ...item, state: 'closed', updated_at: at(2) }),
      ]);
    });
    await Promise.all(batches.map((changes) => apply(...changes)));
    for (const item of items) {
      const { task_id } = await sourceOf(item);
      expect(await taskOf(task_id!)).toMatchObject({ status: 'cancelled', priority: 'high' });
    }
  });
});
