import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { claimRuns, type ClaimRequest, type Claims } from '../../src/modules/dispatch/claim-run.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

describe('claiming several runs in one statement', () => {
  let database: TestDatabase;
  let db: DataSource;
  let team: Team;
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
  });
  beforeEach(async () => {
    team = await makeTeam(db, (await makeOrganization(db)).id);
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  const agent = (values: Partial<Agent> = {}): Promise<Agent> =>
    makeAgent(db, team, { runtime: 'command', ...values });
  const task = (values: Partial<Task> = {}): Promise<Task> =>
    makeTask(db, team, { auto_assign: true, ...values });
  const claim = (values: Partial<ClaimRequest> = {}): Promise<Claims> =>
    db.transaction((manager) =>
      claimRuns(manager, { team_id: team.id, lease_seconds: 60, dispatcher: 'test', limit: 10, ...values }),
    );
  const pairs = ({ runs }: Claims): [number, string][] => runs.map((run) => [run.task_id, run.agent_id]);

  it('gives each task, the most urgent first, to the oldest agent that is left', async () => {
    const [first, second, third] = [await agent(), await agent(), await agent()];
    const [low, high, medium] = [
      await task({ priority: 'low' }),
      await task({ priority: 'high' }),
      await task({ priority: 'medium' }),
    ];
    const claims = await claim();
    expect(pairs(claims)).toEqual([
      [high.id, first.id],
      [medium.id, second.id],
      [low.id, third.id],
    ]);
    expect(claims).toMatchObject({ passed_over: [], more: false });
    const tokens = claims.runs.map(({ fencing_token }) => fencing_token);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    const events: { task_id: number }[] = await db.query(
      `SELECT task_id FROM task_events WHERE task_id = ANY($1) AND type = 'run.started' ORDER BY id`,
      [[low.id, high.id, medium.id]],
    );
    expect(events.map(({ task_id }) => task_id)).toEqual([high.id, medium.id, low.id]);
    expect(await db.getRepository(AgentRun).countBy({ team_id: team.id, status: 'starting' })).toBe(3);
  });

  it('claims no more than it may, and says that there may be more', async () => {
    for (let n = 0; n < 4; n += 1) await agent();
    for (let n = 0; n < 4; n += 1) await task();
    expect(await claim({ limit: 3 })).toMatchObject({ runs: { length: 3 }, more: true });
    expect(await claim({ limit: 3 })).toMatchObject({ runs: { length: 1 }, more: false });
  });

  it('keeps roles and assignees, also where an earlier task could have had them', async () => {
    const engineer = await agent({ role: 'engineer' });
    const reviewer = await agent({ role: 'reviewer' });
    const busy = await agent({ status: 'working' });
    const asks = await agent({ runtime: 'pull' });
    const any = await task({ priority: 'critical' });
    const unfit = await task({ priority: 'high', auto_assign_role: 'engineer' });
    const mine = await task({ priority: 'medium', assignee_id: reviewer.id });
    const kept = await task({ priority: 'critical', auto_assign: false, assignee_id: busy.id });
    const awaited = await task({ priority: 'critical', assignee_id: asks.id });
    expect(pairs(await claim())).toEqual([
      [any.id, engineer.id],
      [mine.id, reviewer.id],
    ]);
    const left = await db.getRepository(Task).findBy({ team_id: team.id, status: 'todo' });
    expect(left.map(({ id }) => id).sort((a, b) => a - b)).toEqual([unfit.id, kept.id, awaited.id]);
  });

  it('starts no agent that has spent its limit, and none on a task that has cost too much for it', async () => {
    const spent = await agent({ config: { daily_cost_limit_usd: 1 } });
    const careful = await agent({ config: { task_cost_limit_usd: 1 } });
    const bold = await agent();
    const [dear, cheap] = [await task({ priority: 'high' }), await task()];
    await db.query(
      `INSERT INTO daily_costs (agent_id, day, team_id, cost_usd) VALUES ($1, (now() AT TIME ZONE 'utc')::date, $2, 1)`,
      [spent.id, team.id],
    );
    await db.query(
      `INSERT INTO agent_sessions (org_id, team_id, agent_id, task_id, model, cost_usd, ended_at)
       VALUES ($1, $2, $3, $4, 'some', 1, now())`,
      [team.org_id, team.id, bold.id, dear.id],
    );
    expect(pairs(await claim())).toEqual([
      [dear.id, bold.id],
      [cheap.id, careful.id],
    ]);
  });

  it("stops at the team's limit", async () => {
    const worker = await agent();
    await agent();
    await task();
    await db.query(
      `INSERT INTO team_settings (team_id, "values") VALUES ($1, '{"daily_team_cost_limit_usd": 2}')`,
      [team.id],
    );
    await db.query(
      `INSERT INTO daily_costs (agent_id, day, team_id, cost_usd) VALUES ($1, (now() AT TIME ZONE 'utc')::date, $2, 2)`,
      [worker.id, team.id],
    );
    expect((await claim()).runs).toEqual([]);
  });

  it('passes over an agent that somebody is changing: others get what is for any, nobody what is for that one', async () => {
    const locked = await agent();
    const free = await agent();
    const [own, any] = [await task({ priority: 'high', assignee_id: locked.id }), await task()];
    const other = db.createQueryRunner();
    await other.startTransaction();
    await other.query('SELECT id FROM agents WHERE id = $1 FOR NO KEY UPDATE', [locked.id]);
    const first = await claim();
    expect(pairs(first)).toEqual([[any.id, free.id]]);
    expect(first).toMatchObject({ passed_over: [locked.id], more: true });
    expect(await claim({ passed_over: first.passed_over })).toMatchObject({ runs: [], more: false });
    await other.rollbackTransaction();
    await other.release();
    expect(pairs(await claim())).toEqual([[own.id, locked.id]]);
  });

  it('takes the next agent for a task whose first one was passed over', async () => {
    const locked = await agent();
    const next = await agent();
    const waiting = await task();
    const other = db.createQueryRunner();
    await other.startTransaction();
    await other.query('SELECT id FROM agents WHERE id = $1 FOR NO KEY UPDATE', [locked.id]);
    const { runs, passed_over } = await claim();
    expect(runs).toEqual([]);
    expect(pairs(await claim({ passed_over }))).toEqual([[waiting.id, next.id]]);
    await other.rollbackTransaction();
    await other.release();
  });

  it('is all or nothing', async () => {
    await agent();
    await agent();
    const tasks = [await task(), await task()];
    const failed = db.transaction(async (manager) => {
      const claims = await claimRuns(manager, {
        team_id: team.id,
        lease_seconds: 60,
        dispatcher: 'test',
        limit: 5,
      });
      expect(claims.runs).toHaveLength(2);
      throw new Error('the connection is lost');
    });
    await expect(failed).rejects.toThrow('the connection is lost');
    expect(await db.getRepository(AgentRun).countBy({ team_id: team.id })).toBe(0);
    expect(await db.getRepository(Agent).countBy({ team_id: team.id, status: 'idle' })).toBe(2);
    expect(pairs(await claim()).map(([id]) => id)).toEqual(tasks.map(({ id }) => id));
  });

  it('of many claimers at once gives everything away exactly once', async () => {
    for (let n = 0; n < 24; n += 1) await agent();
    for (let n = 0; n < 30; n += 1) await task({ priority: n % 2 ? 'high' : 'low' });
    const all = (await Promise.all(Array.from({ length: 8 }, () => claim({ limit: 5 })))).flatMap(pairs);
    expect(all).toHaveLength(24);
    expect(new Set(all.map(([id]) => id)).size).toBe(24);
    expect(new Set(all.map(([, id]) => id)).size).toBe(24);
    expect(await db.getRepository(Task).countBy({ team_id: team.id, status: 'todo', priority: 'high' })).toBe(
      0,
    );
  });
});
