import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import pg from 'pg';
import { readTeams, TASKS_CHANNEL } from '../../src/database/channels.js';
import { newId } from '../../src/database/new-id.js';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { Agents } from '../../src/modules/agents/agents.service.js';
import { Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeApiKey, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { asUser, withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';

describe('teams and agents', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  beforeAll(async () => {
    service = await startTestService();
    workspace = await makeWorkspace(service.db);
  });
  afterAll(() => service.close());

  const send = (method: 'get' | 'post' | 'patch', path: string, body?: object, key = workspace.key) =>
    service.http[method](`/api/v1${path}`).set(withKey(key)).send(body);
  const codeOf = (answer: { text: string }) => (JSON.parse(answer.text) as { code: string }).code;

  describe('teams', () => {
    it('come with their manager', async () => {
      const { body } = await send('post', `/orgs/${workspace.org.id}/teams`, {
        name: 'Web',
        slug: 'web',
      }).expect(201);
      expect(body).toEqual({
        id: expect.any(String),
        org_id: workspace.org.id,
        name: 'Web',
        slug: 'web',
        created_at: expect.stringMatching(/Z$/),
      });
      const detail = (await send('get', `/teams/${body.id}`).expect(200)).body;
      expect(detail).toEqual({
        ...body,
        repositories: [],
        agents: [
          {
            id: expect.any(String),
            team_id: body.id,
            name: 'manager',
            role: 'manager',
            model: 'claude-sonnet-4-20250514',
            config: {},
            runtime: 'pull',
            runtime_config: {},
            status: 'idle',
            created_at: expect.stringMatching(/Z$/),
          },
        ],
      });
    });

    it('have a slug of their own in the organization; a refused one leaves nothing', async () => {
      const make = () => send('post', `/orgs/${workspace.org.id}/teams`, { name: 'Twin', slug: 'twin' });
      const answers = await Promise.all([make(), make(), make()]);
      expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([201, 409, 409]);
      expect(codeOf(await make().expect(409))).toBe('slug_taken');
      const teams = await service.db.getRepository(Team).findBy({ slug: 'twin' });
      expect(teams).toHaveLength(1);
      const other = await makeWorkspace(service.db);
      await send('post', `/orgs/${other.org.id}/teams`, { name: 'Twin', slug: 'twin' }, other.key).expect(
        201,
      );
    });

    it('are listed by name, and for an agent only its own', async () => {
      const { org, team, agent, key } = await makeWorkspace(service.db);
      for (const name of ['Zeta', 'Alpha'])
        await send('post', `/orgs/${org.id}/teams`, { name, slug: name.toLowerCase() }, key).expect(201);
      const names = (body: { name: string }[]) => body.map((one) => one.name);
      const list = await send('get', `/orgs/${org.id}/teams`, undefined, key).expect(200);
      expect(names(list.body)).toEqual(['Alpha', 'Core', 'Zeta']);
      const own = await makeApiKey(service.db, org.id, ['read'], { agent_id: agent.id });
      const seen = await send('get', `/orgs/${org.id}/teams`, undefined, own.key).expect(200);
      expect(seen.body).toMatchObject([{ id: team.id }]);
      await send('get', `/teams/${list.body[0].id}`, undefined, own.key).expect(404);
      await send('get', `/teams/${team.id}`, undefined, own.key).expect(200);
    });

    it('are made by owners and admins', async () => {
      for (const [role, status] of [
        ['member', 403],
        ['admin', 201],
      ] as const) {
        const user = await makeUser(service.db);
        await makeMembership(service.db, workspace.org.id, user.id, role);
        await service.http
          .post(`/api/v1/orgs/${workspace.org.id}/teams`)
          .set(asUser(user))
          .send({ name: role, slug: role })
          .expect(status);
      }
    });
  });

  describe('agents', () => {
    const create = (body: object) => send('post', `/teams/${workspace.team.id}/agents`, body);
    const patch = (id: string, body: object) => send('patch', `/agents/${id}`, body);
    let number = 0;
    const fresh = async (values: object = {}) =>
      (await create({ name: `fresh ${++number}`, ...values }).expect(201)).body as Record<string, unknown> & {
        id: string;
      };

    /** A run of the agent as a dispatcher leaves it. */
    const startRun = async (agent_id: string): Promise<void> => {
      const task = await makeTask(service.db, workspace.team);
      await service.db.query(
        `INSERT INTO agent_runs (id, org_id, team_id, task_id, agent_id, attempt, status, runtime, fencing_token,
           lease_expires_at, heartbeat_at, correlation_id)
         VALUES ($1, $2, $3, $4, $5, 1, 'running', 'pull', 1, now() + interval '1 hour', now(), $1)`,
        [newId(), workspace.org.id, workspace.team.id, task.id, agent_id],
      );
    };

    it('are engineers that wait for work, unless it is said otherwise', async () => {
      expect(await fresh()).toEqual({
        id: expect.any(String),
        team_id: workspace.team.id,
        name: `fresh ${number}`,
        role: 'engineer',
        model: 'claude-sonnet-4-20250514',
        config: {},
        runtime: 'pull',
        runtime_config: {},
        status: 'idle',
        created_at: expect.stringMatching(/Z$/),
      });
      expect(
        await fresh({ role: 'reviewer', model: 'm', config: { a: { b: [1, null] } }, unknown: 1 }),
      ).toMatchObject({ role: 'reviewer', model: 'm', config: { a: { b: [1, null] } } });
    });

    it('have a name of their own in the team', async () => {
      const answers = await Promise.all([1, 2, 3].map(() => create({ name: 'Ada' })));
      expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([201, 409, 409]);
      const other = await fresh();
      expect(codeOf(await patch(other.id, { name: 'Ada' }).expect(409))).toBe('name_taken');
    });

    it.each([
      ['name', { name: '' }],
      ['role', { role: 'king' }],
      ['config', { config: [] }],
      ['config', { config: 'x' }],
      ['config', { config: { text: '\0' } }],
      ['config', { config: { text: '\ud800' } }],
      ['config', { config: { text: 'x'.repeat(70_000) } }],
      ['runtime', { runtime: 'magic' }],
      ['runtime_config.command', { runtime: 'command' }],
      ['runtime_config.command', { runtime: 'command', runtime_config: { command: 'rm -rf /' } }],
      [
        'runtime_config.timeout_seconds',
        { runtime: 'command', runtime_config: { command: 'x', timeout_seconds: 0 } },
      ],
      ['runtime_config.url', { runtime: 'http' }],
      ['runtime_config.url', { runtime: 'http', runtime_config: { url: 'file:///etc/passwd' } }],
      ['runtime_config.url', { runtime: 'http', runtime_config: { url: 'https://user:pw@example.com' } }],
    ])('want right %s (%#)', async (field, values) => {
      const answer = await create({ name: 'wrong', ...values }).expect(422);
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'validation_failed', errors: [{ field }] });
    });

    it('are listed by name', async () => {
      const { team, key } = await makeWorkspace(service.db);
      for (const name of ['c', 'a', 'b']) await makeAgent(service.db, team, { name });
      const first = await send('get', `/teams/${team.id}/agents?limit=2`, undefined, key).expect(200);
      expect(first.body).toMatchObject([{ name: 'a' }, expect.objectContaining({})]);
      const all = await send('get', `/teams/${team.id}/agents`, undefined, key).expect(200);
      const names = (all.body as Agent[]).map((agent) => agent.name);
      expect(names).toEqual([...names].sort());
      expect(names).toHaveLength(4);
    });

    it('change: config is merged, null and what is left out stay', async () => {
      const agent = await fresh({ config: { a: 1, b: { c: 2 } } });
      const { body } = await patch(agent.id, {
        config: { b: 3, d: 4 },
        name: null,
        role: null,
        status: null,
      }).expect(200);
      expect(body).toEqual({ ...agent, config: { a: 1, b: 3, d: 4 } });
      const changed = await patch(agent.id, { name: 'New name', role: 'reviewer', model: 'opus' }).expect(
        200,
      );
      expect(changed.body).toMatchObject({ name: 'New name', role: 'reviewer', model: 'opus' });
      expect((await send('get', `/agents/${agent.id}`).expect(200)).body).toEqual(changed.body);
    });

    it('lose no change of several that come at once', async () => {
      const agent = await fresh();
      const keys = Array.from({ length: 10 }, (_, index) => `k${index}`);
      await Promise.all(keys.map((key) => patch(agent.id, { config: { [key]: true } }).expect(200)));
      const { body } = await send('get', `/agents/${agent.id}`).expect(200);
      expect(Object.keys(body.config).sort()).toEqual(keys);
    });

    it('with an http runtime get a signing secret, shown when it is made', async () => {
      const agents = service.app.get(Agents);
      const runtime_config = { url: 'https://agent.example.com/run', timeout_seconds: 60 };
      const agent = await fresh({ runtime: 'http', runtime_config: { ...runtime_config, extra: 1 } });
      expect(agent).toMatchObject({ runtime: 'http', runtime_config });
      expect(agent.runtime_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(await agents.runtimeSecret(agent.id)).toBe(agent.runtime_secret);
      expect((await send('get', `/agents/${agent.id}`).expect(200)).text).not.toContain('whsec_');
      const moved = await patch(agent.id, { runtime_config: { url: 'http://localhost:9/x' } }).expect(200);
      expect(moved.body).toMatchObject({ runtime_config: { url: 'http://localhost:9/x' } });
      expect(moved.body).not.toHaveProperty('runtime_secret');
      expect(await agents.runtimeSecret(agent.id)).toBe(agent.runtime_secret);
      await patch(agent.id, { runtime: 'pull' }).expect(200);
      expect(await agents.runtimeSecret(agent.id)).toBeNull();
      const again = (await patch(agent.id, { runtime: 'http', runtime_config }).expect(200)).body;
      expect(again.runtime_secret).toMatch(/^whsec_/);
      expect(again.runtime_secret).not.toBe(agent.runtime_secret);
      await patch(agent.id, { runtime: 'command' }).expect(422);
    });

    it('pause and go on', async () => {
      const agent = await fresh();
      expect((await patch(agent.id, { status: 'paused' }).expect(200)).body.status).toBe('paused');
      expect((await patch(agent.id, { status: 'idle' }).expect(200)).body.status).toBe('idle');
      await patch(agent.id, { status: 'working' }).expect(422);
    });

    it('tell the dispatchers when they may have work', async () => {
      const client = new pg.Client({ connectionString: service.settings.DATABASE_URL });
      await client.connect();
      try {
        await client.query(`LISTEN ${TASKS_CHANNEL}`);
        const heard = async (work: () => Promise<unknown>): Promise<unknown> => {
          const next = once(client, 'notification') as Promise<[pg.Notification]>;
          await work();
          return readTeams((await next)[0].payload ?? '');
        };
        const team = [workspace.team.id];
        expect(await heard(() => create({ name: 'heard' }))).toEqual(team);
        const agent = await fresh();
        await patch(agent.id, { status: 'paused' }).expect(200);
        expect(await heard(() => patch(agent.id, { status: 'idle' }))).toEqual(team);
      } finally {
        await client.end();
      }
    });

    it('at work are paused but not called idle', async () => {
      const agent = await fresh();
      await service.db.getRepository(Agent).update(agent.id, { status: 'working' });
      expect(codeOf(await patch(agent.id, { status: 'idle' }).expect(409))).toBe('conflict');
      await patch(agent.id, { status: 'paused' }).expect(200);
      await startRun(agent.id);
      expect((await patch(agent.id, { status: 'idle' }).expect(200)).body.status).toBe('working');
      await patch(agent.id, { status: 'paused' }).expect(200);
      await service.db.query(
        `UPDATE agent_runs SET status = 'succeeded', finished_at = now() WHERE agent_id = $1`,
        [agent.id],
      );
      expect((await patch(agent.id, { status: 'idle' }).expect(200)).body.status).toBe('idle');
    });

    it('taken off their pause while their run ends are never left at work without one', async () => {
      for (let round = 0; round < 10; round++) {
        const agent = await fresh();
        await startRun(agent.id);
        await service.db.getRepository(Agent).update(agent.id, { status: 'paused' });
        await Promise.all([
          patch(agent.id, { status: 'idle' }).expect(200),
          service.db.transaction(async (manager) => {
            await manager.query(
              `UPDATE agent_runs SET status = 'succeeded', finished_at = now() WHERE agent_id = $1`,
              [agent.id],
            );
            await manager.query(`UPDATE agents SET status = 'idle' WHERE id = $1 AND status = 'working'`, [
              agent.id,
            ]);
          }),
        ]);
        const { status } = await service.db.getRepository(Agent).findOneByOrFail({ id: agent.id });
        expect(status).toBe('idle');
      }
    });

    it('are changed by owners, admins and keys, not by members and not by agents', async () => {
      const agent = await fresh();
      const member = await makeUser(service.db);
      await makeMembership(service.db, workspace.org.id, member.id, 'member');
      const path = `/api/v1/agents/${agent.id}`;
      await service.http.patch(path).set(asUser(member)).send({ name: 'x' }).expect(403);
      await service.http.get(path).set(asUser(member)).expect(200);
      const own = await makeApiKey(service.db, workspace.org.id, ['all'], { agent_id: agent.id });
      await service.http.patch(path).set(withKey(own.key)).send({ name: 'x' }).expect(403);
    });
  });
});
