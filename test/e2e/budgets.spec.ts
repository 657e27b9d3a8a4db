import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

/** With Sonnet's price, a dollar. */
const DOLLAR = { tokens_in: 100_000, tokens_out: 46_666, cache_read: 0, cache_write: 0 };
const OUT = (dollars: number) => ({ tokens_out: (dollars * 1_000_000) / 15 });

describe('sessions, usage and budgets', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let agentKey: string;
  beforeAll(async () => {
    service = await startTestService({
      ENTOURAGE_POLL_SECONDS: 1,
      ENTOURAGE_DB_POOL_SIZE: 25,
      ENTOURAGE_SESSION_SILENCE_SECONDS: 600,
    });
  });
  beforeEach(async () => {
    workspace = await makeWorkspace(service.db);
    agentKey = await keyOf(workspace.agent);
  });
  afterAll(() => service.close());

  const keyOf = async (agent: Agent): Promise<string> =>
    (await makeApiKey(service.db, agent.org_id, ['agent'], { agent_id: agent.id })).key;
  const post = (path: string, body: object = {}, key = agentKey) =>
    service.http.post(`/api/v1${path}`).set(withKey(key)).send(body);
  const get = (path: string, key = agentKey) => service.http.get(`/api/v1${path}`).set(withKey(key));
  const codeOf = (answer: { text: string }) => (JSON.parse(answer.text) as { code: string }).code;
  const fieldsOf = (answer: { text: string }) =>
    (JSON.parse(answer.text) as { errors: { field: string }[] }).errors.map(({ field }) => field);
  const start = async (body: object = {}) =>
    (await post('/sessions/start', { agent_id: workspace.agent.id, ...body }).expect(201)).body;
  const budget = async (query = '') =>
    (await get(`/agents/${workspace.agent.id}/budget${query}`).expect(200)).body;
  const set = (values: object) =>
    service.http
      .patch(`/api/v1/settings/teams/${workspace.team.id}`)
      .set(withKey(workspace.key))
      .send(values)
      .expect(200);
  const task = (values: Partial<Task> = {}) =>
    makeTask(service.db, workspace.team, { assignee_id: workspace.agent.id, ...values });
  const taskRow = (id: number) => service.db.getRepository(Task).findOneByOrFail({ id });
  const statusOf = async () =>
    (await service.db.getRepository(Agent).findOneByOrFail({ id: workspace.agent.id })).status;
  const claim = async () => (await post(`/agents/${workspace.agent.id}/claim`).expect(200)).body.run;
  const reasonOf = async (id: number): Promise<string | undefined> => {
    const { body } = await get(`/teams/${workspace.team.id}/dispatch-status`, workspace.key).expect(200);
    return body.waiting.find((row: { task_id: number }) => row.task_id === id)?.reason;
  };

  describe('sessions', () => {
    it('outside of a run make an idle agent work until they end', async () => {
      const { id: task_id } = await task();
      const session = await start({ task_id });
      expect(session).toEqual({
        id: expect.any(Number),
        agent_id: workspace.agent.id,
        task_id,
        run_id: null,
        started_at: expect.stringMatching(/Z$/),
        ended_at: null,
        tokens_in: 0,
        tokens_out: 0,
        cache_read: 0,
        cache_write: 0,
        cost_usd: 0,
        model: 'claude-sonnet-4-20250514',
        error: null,
        price_known: true,
        usage_reported: false,
      });
      expect(await statusOf()).toBe('working');
      expect(await claim()).toBeNull();
      const second = await start();
      await post(`/sessions/${session.id}/end`, { error: 'lost the thread' }).expect(200);
      expect(await statusOf()).toBe('working');
      await post(`/sessions/${second.id}/end`).expect(200);
      expect(await statusOf()).toBe('idle');
      const ended = (await get(`/sessions/${session.id}`).expect(200)).body;
      expect(ended).toMatchObject({ error: 'lost the thread', ended_at: expect.stringMatching(/Z$/) });
      expect((await post(`/sessions/${session.id}/end`, { error: 'again' }).expect(200)).body).toEqual(ended);
      const listed = (await get(`/agents/${workspace.agent.id}/sessions?limit=1`).expect(200)).body;
      expect(listed.map(({ id }: { id: number }) => id)).toEqual([second.id]);
      const ofTask = (await get(`/agents/${workspace.agent.id}/sessions?task_id=${task_id}`).expect(200))
        .body;
      expect(ofTask).toEqual([ended]);
      expect((await claim()).task.id).toBe(task_id);
    });

    it('that many start and end at once leave the agent idle', async () => {
      const sessions = await Promise.all(Array.from({ length: 10 }, () => start()));
      await Promise.all(sessions.map(({ id }) => post(`/sessions/${id}/end`).expect(200)));
      expect(await statusOf()).toBe('idle');
    });

    it('and claims of the same agent never both have it', async () => {
      for (let round = 0; round < 10; round += 1) {
        await task();
        const [run, session] = await Promise.all([claim(), start()]);
        if (run === null) expect(session.run_id).toBeNull();
        else expect(session.run_id).toBe(run.id);
        expect(await statusOf()).toBe('working');
        if (run !== null)
          await post(`/runs/${run.id}/finish`, {
            fencing_token: run.fencing_token,
            status: 'succeeded',
          }).expect(200);
        await post(`/sessions/${session.id}/end`).expect(200);
        expect(await statusOf()).toBe('idle');
      }
    });

    it('inside a run belong to it, and end with it', async () => {
      const { id } = await task();
      const other = await task();
      const run = await claim();
      const session = await start({ run_id: run.id });
      expect(session).toMatchObject({ run_id: run.id, task_id: id });
      expect(
        codeOf(
          await post('/sessions/start', { agent_id: workspace.agent.id, task_id: other.id }).expect(409),
        ),
      ).toBe('conflict');
      const done = { fencing_token: run.fencing_token, status: 'succeeded' };
      await post(`/sessions/${(await start()).id}/end`).expect(200);
      expect(await statusOf()).toBe('working');
      await post(`/runs/${run.id}/finish`, done).expect(200);
      expect((await get(`/sessions/${session.id}`)).body.ended_at).not.toBeNull();
      expect(await statusOf()).toBe('idle');
      expect(
        codeOf(await post('/sessions/start', { agent_id: workspace.agent.id, run_id: run.id }).expect(409)),
      ).toBe('run_not_current');
    });

    it('that fall silent are ended, and the agent takes work again', async () => {
      const { id } = await start();
      await service.db.query(
        `UPDATE agent_sessions SET last_seen_at = now() - interval '11 minutes' WHERE id = $1`,
        [id],
      );
      await until(async () => (await statusOf()) === 'idle', 'the sweeper');
      expect((await get(`/sessions/${id}`)).body.error).toContain('no sign of life');
    });

    it('keep a paused agent at work when the pause ends', async () => {
      const patch = (status: string) =>
        service.http
          .patch(`/api/v1/agents/${workspace.agent.id}`)
          .set(withKey(workspace.key))
          .send({ status })
          .expect(200);
      const { id } = await start();
      await patch('paused');
      expect(codeOf(await post('/sessions/start', { agent_id: workspace.agent.id }).expect(409))).toBe(
        'agent_not_idle',
      );
      expect((await patch('idle')).body.status).toBe('working');
      await post(`/sessions/${id}/end`).expect(200);
      expect(await statusOf()).toBe('idle');
    });

    it('are an own business: another agent, another tenant, an unknown id', async () => {
      const { id } = await start();
      const mate = await keyOf(await makeAgent(service.db, workspace.team));
      await post(`/sessions/${id}/usage`, {}, mate).expect(403);
      await post(`/sessions/${id}/end`, {}, mate).expect(403);
      await post('/sessions/start', { agent_id: workspace.agent.id }, mate).expect(403);
      const stranger = await makeWorkspace(service.db);
      for (const path of ['usage', 'end'])
        expect(codeOf(await post(`/sessions/${id}/${path}`, {}, stranger.key).expect(404))).toBe(
          'session_not_found',
        );
      await get(`/sessions/${id}`, stranger.key).expect(404);
      await get(`/agents/${workspace.agent.id}/sessions`, stranger.key).expect(404);
      await get(`/agents/${workspace.agent.id}/budget`, stranger.key).expect(404);
      await get(`/teams/${workspace.team.id}/costs`, stranger.key).expect(404);
      const foreign = await makeTask(service.db, stranger.team);
      await post('/sessions/start', { agent_id: workspace.agent.id, task_id: foreign.id }).expect(404);
      await get(`/agents/${workspace.agent.id}/budget?task_id=${foreign.id}`).expect(404);
      await get('/sessions/990000999').expect(404);
    });

    it.each([
      ['/sessions/start', {}, 'agent_id'],
      ['/sessions/start', { agent_id: 'x' }, 'agent_id'],
      ['usage', { tokens_in: -1 }, 'tokens_in'],
      ['usage', { tokens_out: 1.5 }, 'tokens_out'],
      ['usage', { cache_read: 'many' }, 'cache_read'],
      ['usage', { cache_write: 1e15 }, 'cache_write'],
      ['end', { error: 5 }, 'error'],
    ])('refuse bad input to %s: %j', async (path, body, field) => {
      const to = path.startsWith('/') ? path : `/sessions/${(await start()).id}/${path}`;
      expect(fieldsOf(await post(to, body).expect(422))).toEqual([field]);
    });

    it('refuse bad queries', async () => {
      await get(`/teams/${workspace.team.id}/costs?days=0`).expect(422);
      await get(`/teams/${workspace.team.id}/costs?days=91`).expect(422);
      await get(`/agents/${workspace.agent.id}/budget?task_id=x`).expect(422);
      await get(`/agents/${workspace.agent.id}/sessions?task_id=0`).expect(422);
      await get('/sessions/abc').expect(422);
    });
  });

  describe('usage', () => {
    it('of twenty reports at once is all counted', async () => {
      const { id } = await start();
      await Promise.all(
        Array.from({ length: 20 }, () =>
          post(`/sessions/${id}/usage`, {
            tokens_in: 1,
            tokens_out: 2,
            cache_read: 3,
            cache_write: 4,
          }).expect(200),
        ),
      );
      const { body } = await get(`/sessions/${id}`);
      expect(body).toMatchObject({
        tokens_in: 20,
        tokens_out: 40,
        cache_read: 60,
        cache_write: 80,
        usage_reported: true,
      });
      expect(body.cost_usd).toBe(0.000978);
      expect((await budget()).daily_spent_usd).toBe(0.000978);
    });

    it('of an unknown model takes the price of Sonnet, and says so; it counts after the end too', async () => {
      const { id } = await start({ model: 'mystery-1' });
      await post(`/sessions/${id}/end`).expect(200);
      const { body } = await post(`/sessions/${id}/usage`, OUT(3)).expect(200);
      expect(body).toMatchObject({ model: 'mystery-1', price_known: false, cost_usd: 3 });
      expect(body.ended_at).not.toBeNull();
    });

    it('of a run is what it last said in all, by model; said again it changes nothing', async () => {
      await task();
      const run = await claim();
      const beat = (usage: object) =>
        post(`/runs/${run.id}/heartbeat`, { fencing_token: run.fencing_token, usage }).expect(200);
      await Promise.all(Array.from({ length: 8 }, () => beat(OUT(3))));
      await beat(OUT(6));
      await beat(OUT(3));
      await beat({ model: 'claude-opus-4', tokens_in: 1_000_000 });
      const done = { fencing_token: run.fencing_token, status: 'succeeded', usage: OUT(6) };
      await post(`/runs/${run.id}/finish`, done).expect(200);
      const sessions = (await get(`/agents/${workspace.agent.id}/sessions`)).body;
      expect(
        sessions.map(({ model, cost_usd, run_id, ended_at }: Record<string, unknown>) => [
          model,
          cost_usd,
          run_id,
          ended_at !== null,
        ]),
      ).toEqual([
        ['claude-opus-4', 15, run.id, true],
        ['claude-sonnet-4-20250514', 6, run.id, true],
      ]);
      expect(await budget()).toMatchObject({ daily_spent_usd: 21, unknown_runs: 0 });
      const late = { fencing_token: run.fencing_token, usage: OUT(60) };
      expect(codeOf(await post(`/runs/${run.id}/heartbeat`, late).expect(409))).toBe('run_not_current');
      expect((await budget()).daily_spent_usd).toBe(21);
      const wrong = { fencing_token: run.fencing_token, usage: { tokens_in: -1 } };
      expect(fieldsOf(await post(`/runs/${run.id}/heartbeat`, wrong).expect(422))).toEqual([
        'usage.tokens_in',
      ]);
    });

    it('that nobody reported is unknown, and not nothing', async () => {
      await task();
      const run = await claim();
      await start();
      const done = { fencing_token: run.fencing_token, status: 'succeeded' };
      await post(`/runs/${run.id}/finish`, done).expect(200);
      await start();
      expect(await budget()).toMatchObject({ daily_spent_usd: 0, unknown_runs: 2 });
      const { body } = await get(`/teams/${workspace.team.id}/costs`).expect(200);
      expect(body).toMatchObject({ total_cost_usd: 0, unknown_runs: 2 });
    });
  });

  describe('limits', () => {
    it('are of the agent, or else of the team, or else the defaults; the lower one counts', async () => {
      const { id } = await task();
      expect(await budget(`?task_id=${id}`)).toEqual({
        within_budget: true,
        daily_spent_usd: 0,
        daily_limit_usd: 50,
        task_spent_usd: 0,
        task_limit_usd: 20,
        team_spent_usd: 0,
        team_limit_usd: null,
        unknown_runs: 0,
        violations: [],
      });
      await set({ daily_cost_limit_usd: 80, task_cost_limit_usd: 5, daily_team_cost_limit_usd: 100 });
      expect(await budget()).toMatchObject({ daily_limit_usd: 80, task_limit_usd: 5, team_limit_usd: 100 });
      const config = { daily_cost_limit_usd: 7.5, task_cost_limit_usd: 'not a number' };
      await service.db.getRepository(Agent).update(workspace.agent.id, { config });
      expect(await budget()).toMatchObject({ daily_limit_usd: 7.5, task_limit_usd: 5 });
    });

    it.each([
      ['daily_cost_limit_usd', { daily_cost_limit_usd: 2 }],
      ['daily_team_cost_limit_usd', { daily_team_cost_limit_usd: 2 }],
      ['task_cost_limit_usd', { task_cost_limit_usd: 2 }],
    ])('reached before a run, as %s: nothing starts', async (field, values) => {
      await set(values);
      const { id: task_id } = await task();
      const session = await start({ task_id });
      await post(`/sessions/${session.id}/usage`, OUT(3)).expect(200);
      await post(`/sessions/${session.id}/end`).expect(200);
      const state = await budget(`?task_id=${task_id}`);
      expect(state.within_budget).toBe(false);
      expect(state.violations).toEqual([expect.stringContaining('is reached: $3.0000 of $2')]);
      expect(await claim()).toBeNull();
      expect(await reasonOf(task_id)).toBe('over_budget');
      const refused = await post('/sessions/start', { agent_id: workspace.agent.id, task_id }).expect(429);
      expect(codeOf(refused)).toBe('budget_exceeded');
      expect(fieldsOf(refused)).toEqual([field]);
      const run = await post(`/agents/${workspace.agent.id}/run`, { task_id }, workspace.key).expect(429);
      expect(codeOf(run)).toBe('budget_exceeded');
      expect(await statusOf()).toBe('idle');
      await set(Object.fromEntries(Object.keys(values).map((name) => [name, 30])));
      expect(await reasonOf(task_id)).toBe('agent_must_claim');
      expect((await claim()).task.id).toBe(task_id);
    });

    it('of nothing lets nothing start, and one of yesterday is over', async () => {
      const { id: task_id } = await task();
      await service.db.query(`INSERT INTO daily_costs (agent_id, day, team_id, cost_usd)
        VALUES ('${workspace.agent.id}', (now() AT TIME ZONE 'utc')::date - 1, '${workspace.team.id}', 999)`);
      await set({ daily_cost_limit_usd: 0 });
      expect(await reasonOf(task_id)).toBe('over_budget');
      expect(await claim()).toBeNull();
      await set({ daily_cost_limit_usd: 1 });
      expect((await claim()).task.id).toBe(task_id);
    });

    it('of an agent do not keep its task from others that may have it', async () => {
      const { id: task_id } = await task({ auto_assign: true });
      const kept = await task();
      await service.db
        .getRepository(Agent)
        .update(workspace.agent.id, { config: { daily_cost_limit_usd: 0 } });
      const mate = await makeAgent(service.db, workspace.team);
      expect(await reasonOf(task_id)).toBe('agent_must_claim');
      expect(await reasonOf(kept.id)).toBe('over_budget');
      const { body } = await post(`/agents/${mate.id}/claim`, {}, await keyOf(mate)).expect(200);
      expect(body.run.task.id).toBe(task_id);
    });

    it('of an agent are numbers', async () => {
      const config = { daily_cost_limit_usd: '5', task_cost_limit_usd: -1 };
      const fields = ['config.daily_cost_limit_usd', 'config.task_cost_limit_usd'];
      const body = { name: 'grace', config };
      const made = await post(`/teams/${workspace.team.id}/agents`, body, workspace.key).expect(422);
      expect(fieldsOf(made)).toEqual(fields);
      const patched = service.http.patch(`/api/v1/agents/${workspace.agent.id}`).set(withKey(workspace.key));
      expect(fieldsOf(await patched.send({ config }).expect(422))).toEqual(fields);
    });

    it('reached during a run stop it, and hold its task until it is released', async () => {
      await set({ task_cost_limit_usd: 2 });
      const { id } = await task();
      const run = await claim();
      const { fencing_token } = run;
      const first = await post(`/runs/${run.id}/heartbeat`, { fencing_token, usage: DOLLAR }).expect(200);
      expect(first.body.cancel_requested).toBe(false);
      const second = await post(`/runs/${run.id}/heartbeat`, { fencing_token, usage: OUT(3) }).expect(200);
      expect(second.body).toMatchObject({ cancel_requested: true, cancel_reason: 'budget_exceeded' });
      await post(`/runs/${run.id}/finish`, { fencing_token, status: 'failed', error: 'told to stop' }).expect(
        200,
      );
      expect(await taskRow(id)).toMatchObject({
        status: 'todo',
        hold_reason: 'budget_exceeded',
        failed_runs: 0,
      });
      expect(await reasonOf(id)).toBe('held');
      await post(`/tasks/${id}/release`, {}, workspace.key).expect(200);
      expect(await reasonOf(id)).toBe('over_budget');
      await set({ task_cost_limit_usd: 9 });
      expect((await claim()).attempt).toBe(2);
    });

    it('reached by a session of a run stop the run as well', async () => {
      await set({ daily_cost_limit_usd: 2 });
      await task();
      const run = await claim();
      const session = await start();
      await post(`/sessions/${session.id}/usage`, OUT(3)).expect(200);
      const { body } = await get(`/runs/${run.id}`).expect(200);
      expect(body).toMatchObject({ cancel_reason: 'budget_exceeded', finished_at: null });
    });
  });

  it('summarises costs by agent and by model', async () => {
    const mate = await makeAgent(service.db, workspace.team, { name: 'mate', model: 'mystery-1' });
    const mateKey = await keyOf(mate);
    const first = await start();
    await post(`/sessions/${first.id}/usage`, OUT(3)).expect(200);
    const { id } = (await post('/sessions/start', { agent_id: mate.id }, mateKey).expect(201)).body;
    await post(`/sessions/${id}/usage`, { tokens_in: 10, ...OUT(6) }, mateKey).expect(200);
    const old = await start();
    await post(`/sessions/${old.id}/usage`, OUT(30)).expect(200);
    await service.db.query(`UPDATE agent_sessions SET started_at = now() - interval '3 days' WHERE id = $1`, [
      old.id,
    ]);
    const costs = async (days: number) =>
      (await get(`/teams/${workspace.team.id}/costs?days=${days}`).expect(200)).body;
    expect(await costs(1)).toEqual({
      team_id: workspace.team.id,
      period_days: 1,
      total_cost_usd: 9.00003,
      total_tokens_in: 10,
      total_tokens_out: 600_000,
      session_count: 2,
      unknown_runs: 0,
      per_agent: [
        { agent_id: mate.id, agent_name: 'mate', cost_usd: 6.00003, sessions: 1 },
        { agent_id: workspace.agent.id, agent_name: workspace.agent.name, cost_usd: 3, sessions: 1 },
      ],
      per_model: [
        { model: 'mystery-1', cost_usd: 6.00003, sessions: 1, price_known: false },
        { model: 'claude-sonnet-4-20250514', cost_usd: 3, sessions: 1, price_known: true },
      ],
    });
    expect((await costs(7)).total_cost_usd).toBe(39.00003);
  });
});
