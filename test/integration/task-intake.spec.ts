import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { type SourceChange, type SourceOutcome } from '../../src/modules/tasks/source-change.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { TaskIntake } from '../../src/modules/tasks/task-intake.js';
import { TaskTransitions } from '../../src/modules/tasks/task-transitions.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeTeam, makeWorkspace } from '../factories/accounts.js';
import { makeChange, makeItem } from '../factories/source-changes.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

describe('intake of opened issues and pull requests', () => {
  let database: TestDatabase;
  let db: DataSource;
  let org: Team['org_id'];
  let team: Team;
  let intake: TaskIntake;

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    org = (await makeWorkspace(db)).org.id;
    intake = new TaskIntake(new TaskTransitions());
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    team = await makeTeam(db, org);
  });

  const apply = (...changes: SourceChange[]): Promise<SourceOutcome[]> =>
    db.transaction((manager) => intake.apply(manager.queryRunner!, changes));
  const taskOf = (outcome: SourceOutcome | undefined): Promise<Task> =>
    db.getRepository(Task).findOneByOrFail({ id: outcome!.task_id! });

  it('makes a task of an issue', async () => {
    const change = makeChange(team, {
      item: makeItem({
        number: 42,
        title: 'Fix the login',
        body: 'It fails.',
        labels: ['bug', ' P1 ', 'low'],
      }),
    });
    const [outcome] = await apply(change);
    const task = await taskOf(outcome);
    expect(outcome).toEqual({
      task_id: task.id,
      actions: [`created task #${task.id} from issue #42`],
      assignment: { agent_id: null, agent_name: null, reason: 'auto_assign is off' },
    });
    expect(task).toMatchObject({
      org_id: org,
      team_id: team.id,
      title: '[GitHub] Fix the login',
      description: 'GitHub Issue #42\n\nIt fails.',
      status: 'todo',
      priority: 'high',
      tags: ['github', 'issue', 'bug', ' P1 ', 'low'],
      branch: `task-${task.id}-github-fix-the-login`,
      auto_assign: false,
      assignee_id: null,
      hold_reason: null,
      correlation_id: change.correlation_id,
    });
    const events = await db.getRepository(TaskEvent).findBy({ task_id: task.id });
    expect(events).toMatchObject([
      {
        type: 'task.created',
        data: { source: { key: change.item.key, number: 42 } },
        metadata: {
          actor: { type: 'github', id: 'ada' },
          correlation_id: change.correlation_id,
          delivery_id: change.delivery_id,
        },
      },
    ]);
    expect(JSON.stringify(events)).not.toContain('It fails');
  });

  it('makes a task of a pull request: medium, whatever its labels', async () => {
    const item = makeItem({ kind: 'pull_request', number: 7, title: 'Login', labels: ['critical'] });
    const [outcome] = await apply(makeChange(team, { item: { ...item, key: `${item.key}-pr` } }));
    const task = await taskOf(outcome);
    expect(outcome!.actions).toEqual([`created task #${task.id} from pull request #7`]);
    expect(task).toMatchObject({
      title: '[GitHub PR] Login',
      description: 'GitHub Pull Request #7\n\nIt does not work.',
      priority: 'medium',
      tags: ['github', 'pull_request'],
    });
  });

  it('keeps what does not fit: long titles, NUL, many and long labels', async () => {
    const item = makeItem({
      title: `\0${'😀'.repeat(600)}`,
      body: 'a\0b\ud800c',
      labels: Array.from({ length: 80 }, (_, n) => `${n}-\0${'x'.repeat(200)}`),
    });
    const [outcome] = await apply(makeChange(team, { item }));
    const task = await taskOf(outcome);
    expect(Array.from(task.title)).toHaveLength(500);
    expect(task.title.endsWith('😀…')).toBe(true);
    expect(task.description).toBe(`GitHub Issue #${item.number}\n\nab\ufffdc`);
    expect(task.tags).toHaveLength(50);
    expect(Math.max(...task.tags.map((tag) => tag.length))).toBe(100);
  });

  it('answers what is there already, in one batch and in the next', async () => {
    const item = makeItem();
    const [first, second] = await apply(makeChange(team, { item }), makeChange(team, { item }));
    const [third] = await apply(makeChange(team, { item }));
    expect(first!.actions).toHaveLength(1);
    for (const again of [second, third])
      expect(again).toEqual({ task_id: first!.task_id, actions: [], reason: 'already_exists' });
    expect(await db.getRepository(Task).countBy({ team_id: team.id })).toBe(1);
  });

  it('makes one task of one issue from many connections, without a deadlock', async () => {
    const items = Array.from({ length: 12 }, () => makeItem());
    const runs = Array.from({ length: 8 }, (_, n) => {
      const order = n % 2 === 0 ? items : items.toReversed();
      return apply(...order.map((item) => makeChange(team, { item, policy: { auto_assign: true } })));
    });
    const outcomes = (await Promise.all(runs)).flat();
    expect(outcomes.filter((outcome) => outcome.reason === undefined)).toHaveLength(items.length);
    expect(new Set(outcomes.map((outcome) => outcome.task_id)).size).toBe(items.length);
    expect(await db.getRepository(Task).countBy({ team_id: team.id })).toBe(items.length);
  });

  it('writes a batch of 64 in a handful of statements', async () => {
    await makeAgent(db, team);
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    const client = await runner.connect();
    let statements = 0;
    const query = client.query.bind(client);
    client.query = (...args: unknown[]) => {
      statements += 1;
      return query(...args);
    };
    const changes = Array.from({ length: 64 }, () => makeChange(team, { policy: { auto_assign: true } }));
    const outcomes = await intake.apply(runner, changes);
    delete client.query;
    await runner.commitTransaction();
    await runner.release();
    expect(statements).toBeLessThanOrEqual(3);
    const ids = outcomes.map((outcome) => outcome.task_id!);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(await db.getRepository(Task).countBy({ team_id: team.id })).toBe(64);
  });

  describe('assignment', () => {
    const auto = { auto_assign: true };
    const agents = (outcomes: SourceOutcome[]): (string | null | undefined)[] =>
      outcomes.map((outcome) => outcome.assignment?.agent_id);

    it('gives each task of a batch the next idle agent, oldest first, and says why there is none', async () => {
      const young = await makeAgent(db, team, { created_at: new Date('2026-02-01') });
      const old = await makeAgent(db, team, { created_at: new Date('2026-01-01') });
      await makeAgent(db, team, { status: 'working', created_at: new Date('2025-01-01') });
      await makeAgent(db, team, { status: 'paused', created_at: new Date('2025-01-01') });
      const changes = [1, 2, 3].map(() => makeChange(team, { policy: auto }));
      const outcomes = await apply(...changes);
      expect(agents(outcomes)).toEqual([old.id, young.id, null]);
      expect(outcomes[0]!.actions[1]).toBe(`auto-assigned to ${old.name}`);
      expect(outcomes[2]!.actions).toHaveLength(1);
      expect(outcomes[2]!.assignment!.reason).toContain('no idle agent');
      expect(await taskOf(outcomes[0])).toMatchObject({ assignee_id: old.id, auto_assign: true });
      expect(await taskOf(outcomes[2])).toMatchObject({ assignee_id: null, auto_assign: true });
      const events = await db.getRepository(TaskEvent).findBy({ task_id: outcomes[0]!.task_id! });
      expect(events.map((event) => event.type)).toEqual(['task.created', 'task.assigned']);
      // Both have a task waiting now.
      expect(agents(await apply(makeChange(team, { policy: auto })))).toEqual([null]);
      await db.getRepository(Task).save({ id: outcomes[0]!.task_id!, status: 'done' });
      expect(agents(await apply(makeChange(team, { policy: auto })))).toEqual([old.id]);
    });

    it('takes the role that is asked for, from the own team', async () => {
      await makeAgent(db, await makeTeam(db, org));
      const engineer = await makeAgent(db, team, { created_at: new Date('2026-01-01') });
      const reviewer = await makeAgent(db, team, { role: 'reviewer', created_at: new Date('2026-02-01') });
      const outcomes = await apply(
        makeChange(team, { policy: { ...auto, auto_assign_role: 'reviewer' } }),
        makeChange(team, { policy: { ...auto, auto_assign_role: 'reviewer' } }),
        makeChange(team, { policy: auto }),
      );
      expect(agents(outcomes)).toEqual([reviewer.id, null, engineer.id]);
      expect(outcomes[1]!.assignment!.reason).toContain('no idle reviewer');
    });

    it('gives no agent to a task that is held', async () => {
      await makeAgent(db, team);
      const [outcome] = await apply(
        makeChange(team, { policy: { ...auto, hold_reason: 'awaiting_release' } }),
      );
      expect(outcome!.assignment).toMatchObject({
        agent_id: null,
        reason: 'the task is held: awaiting_release',
      });
      expect(await taskOf(outcome)).toMatchObject({ hold_reason: 'awaiting_release', auto_assign: true });
    });

    it('gives two transactions at once two agents', async () => {
      const both = [await makeAgent(db, team), await makeAgent(db, team)];
      const one = db.createQueryRunner();
      const two = db.createQueryRunner();
      await one.startTransaction();
      await two.startTransaction();
      const first = await intake.apply(one, [makeChange(team, { policy: auto })]);
      const second = await intake.apply(two, [makeChange(team, { policy: auto })]);
      await one.commitTransaction();
      await two.commitTransaction();
      await one.release();
      await two.release();
      expect(new Set(agents([...first, ...second]))).toEqual(new Set(both.map((agent: Agent) => agent.id)));
    });
  });

  it('changes nothing for later events without sync, but names their task', async () => {
    const item = makeItem();
    const [opened] = await apply(makeChange(team, { item }));
    const later = (['labeled', 'edited', 'closed', 'deleted'] as const).map((action) =>
      makeChange(team, { item, action, label: 'critical' }),
    );
    for (const outcome of await apply(...later))
      expect(outcome).toEqual({ task_id: opened!.task_id, actions: [], reason: 'lifecycle_create_only' });
    expect(await taskOf(opened)).toMatchObject({ version: 1, status: 'todo', priority: 'medium' });
  });
});
