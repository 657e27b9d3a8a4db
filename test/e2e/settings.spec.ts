import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { makeApiKey, makeAgent, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { asUser, withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';

describe('what teams set', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let path: string;
  let agentKey: string;
  beforeAll(async () => {
    service = await startTestService();
  });
  beforeEach(async () => {
    workspace = await makeWorkspace(service.db);
    path = `/settings/teams/${workspace.team.id}`;
    const { org, agent } = workspace;
    agentKey = (await makeApiKey(service.db, org.id, ['agent'], { agent_id: agent.id })).key;
  });
  afterAll(() => service.close());

  const send = (
    method: 'get' | 'post' | 'patch' | 'put' | 'delete',
    to: string,
    body?: object,
    headers = withKey(workspace.key),
  ) => service.http[method](`/api/v1${to}`).set(headers).send(body);
  const codeOf = (answer: { text: string }) => (JSON.parse(answer.text) as { code: string }).code;
  const fieldsOf = (answer: { text: string }) =>
    (JSON.parse(answer.text) as { errors: { field: string }[] }).errors.map(({ field }) => field);

  describe('settings', () => {
    it('are empty at first, and merged by each change', async () => {
      const team = { team_id: workspace.team.id, team_name: 'Core' };
      expect((await send('get', path).expect(200)).body).toEqual({ ...team, settings: {} });
      await send('patch', path, { daily_cost_limit_usd: 12.5, auto_merge: true, unknown: 1 }).expect(200);
      const changed = await send('patch', path, {
        auto_merge: null,
        require_review: true,
        notifications: { email: 'all' },
      }).expect(200);
      const settings = {
        daily_cost_limit_usd: 12.5,
        auto_merge: true,
        require_review: true,
        notifications: { email: 'all' },
      };
      expect(changed.body).toEqual({ ...team, settings });
      expect((await send('get', path, undefined, withKey(agentKey)).expect(200)).body.settings).toEqual(
        settings,
      );
    });

    it('keep every one of many changes made at once', async () => {
      const changes = [
        { daily_cost_limit_usd: 1 },
        { task_cost_limit_usd: 2 },
        { daily_team_cost_limit_usd: 3 },
        { default_model: 'm' },
        { branch_prefix: 'x/' },
        { agent_approval_counts: false },
      ];
      await Promise.all(changes.map((change) => send('patch', path, change).expect(200)));
      expect((await send('get', path)).body.settings).toEqual(Object.assign({}, ...changes));
    });

    it.each([
      ['daily_cost_limit_usd', -1],
      ['daily_cost_limit_usd', '5'],
      ['task_cost_limit_usd', 1e7],
      ['daily_team_cost_limit_usd', 'much'],
      ['default_model', ''],
      ['default_model', 'm'.repeat(201)],
      ['auto_merge', 'yes'],
      ['branch_prefix', '../x'],
      ['branch_prefix', 'a//b'],
      ['branch_prefix', '/a'],
      ['branch_prefix', 'a b'],
      ['branch_prefix', 'a'.repeat(51)],
      ['require_review', 1],
      ['agent_approval_counts', 'no'],
      ['notifications', []],
      ['notifications', { long: 'x'.repeat(70_000) }],
    ])('refuse %s of %j', async (field, value) => {
      const answer = await send('patch', path, { [field]: value }).expect(422);
      expect(fieldsOf(answer)).toEqual([field]);
      expect((await send('get', path)).body.settings).toEqual({});
    });

    it('are changed by those who manage, and by nobody else', async () => {
      const { org } = workspace;
      const member = await makeUser(service.db);
      await makeMembership(service.db, org.id, member.id, 'member');
      await send('get', path, undefined, asUser(member)).expect(200);
      expect(codeOf(await send('patch', path, {}, asUser(member)).expect(403))).toBe('forbidden');
      const { key } = await makeApiKey(service.db, org.id, ['all'], { agent_id: workspace.agent.id });
      expect(codeOf(await send('patch', path, {}, withKey(key)).expect(403))).toBe('forbidden');
      expect(codeOf(await send('patch', path, {}, withKey(agentKey)).expect(403))).toBe('insufficient_scope');
      const stranger = await makeWorkspace(service.db);
      await send('get', path, undefined, withKey(stranger.key)).expect(404);
      await send('patch', path, {}, withKey(stranger.key)).expect(404);
    });

    it('of an organization are none, but it is named', async () => {
      const { org } = workspace;
      const answer = await send('get', `/settings/orgs/${org.id}`).expect(200);
      expect(answer.body).toEqual({ org_id: org.id, org_name: 'Acme', settings: {} });
      const stranger = await makeWorkspace(service.db);
      await send('get', `/settings/orgs/${org.id}`, undefined, withKey(stranger.key)).expect(404);
    });

    it('give new agents their model, and new tasks the prefix of their branch', async () => {
      const { team } = workspace;
      await send('patch', path, { default_model: 'claude-opus-4', branch_prefix: 'agents/' }).expect(200);
      const made = await send('post', `/teams/${team.id}/agents`, { name: 'ada' }).expect(201);
      expect(made.body.model).toBe('claude-opus-4');
      const own = await send('post', `/teams/${team.id}/agents`, { name: 'bob', model: 'mine' }).expect(201);
      expect(own.body.model).toBe('mine');
      const { body } = await send('post', `/teams/${team.id}/tasks`, { title: 'Fix it' }).expect(201);
      expect(body.branch).toBe(`agents/task-${body.id}-fix-it`);
    });
  });

  describe('conventions', () => {
    const convention = { key: 'commits', content: 'Small ones.', active: true };

    it('are made, listed by key, changed and deleted', async () => {
      const of = `${path}/conventions`;
      expect((await send('post', of, { key: 'tests', content: 'First.' }).expect(201)).body).toEqual({
        key: 'tests',
        content: 'First.',
        active: true,
      });
      await send('post', of, convention).expect(201);
      const listed = await send('get', of, undefined, withKey(agentKey)).expect(200);
      expect(listed.body.map(({ key }: { key: string }) => key)).toEqual(['commits', 'tests']);
      const changed = await send('put', `${of}/tests`, { active: false, content: null }).expect(200);
      expect(changed.body).toEqual({ key: 'tests', content: 'First.', active: false });
      expect((await send('delete', `${of}/tests`).expect(200)).body).toEqual({ deleted: true, key: 'tests' });
      expect((await send('get', of)).body).toEqual([convention]);
      expect(codeOf(await send('put', `${of}/tests`, {}).expect(404))).toBe('convention_not_found');
      expect(codeOf(await send('delete', `${of}/tests`).expect(404))).toBe('convention_not_found');
    });

    it('have each key once, also when many make it', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => send('post', `${path}/conventions`, convention)),
      );
      expect(answers.filter(({ status }) => status === 201).length).toBe(1);
      expect(new Set(answers.filter(({ status }) => status !== 201).map(codeOf))).toEqual(
        new Set(['convention_exists']),
      );
    });

    it.each([
      ['key', { ...convention, key: 'a/b' }],
      ['key', { ...convention, key: '' }],
      ['key', { ...convention, key: '..' }],
      ['key', { ...convention, key: 'k'.repeat(101) }],
      ['content', { ...convention, content: '' }],
      ['content', { ...convention, content: 'x'.repeat(4_001) }],
      ['content', { ...convention, content: 'nul\0' }],
      ['active', { ...convention, active: 'true' }],
    ])('refuse a wrong %s', async (field, body) => {
      expect(fieldsOf(await send('post', `${path}/conventions`, body).expect(422))).toEqual([field]);
    });

    it('are bounded in number', async () => {
      await service.db.query(
        `INSERT INTO team_conventions (team_id, key, content) SELECT $1, 'k' || n, 'x' FROM generate_series(1, 100) n`,
        [workspace.team.id],
      );
      expect(fieldsOf(await send('post', `${path}/conventions`, convention).expect(422))).toEqual(['key']);
    });

    it('are no business of agents and strangers to change', async () => {
      await send('post', `${path}/conventions`, convention, withKey(agentKey)).expect(403);
      const stranger = await makeWorkspace(service.db);
      await send('get', `${path}/conventions`, undefined, withKey(stranger.key)).expect(404);
      await send('post', `${path}/conventions`, convention, withKey(stranger.key)).expect(404);
    });

    it('are in the prompt as long as they are active', async () => {
      const { team, agent } = workspace;
      await send('post', `${path}/conventions`, convention).expect(201);
      await send('post', `${path}/conventions`, { key: 'old', content: 'Gone.', active: false }).expect(201);
      await makeAgent(service.db, team);
      await makeTask(service.db, team, { assignee_id: agent.id });
      const claimed = await send('post', `/agents/${agent.id}/claim`, {}, withKey(agentKey)).expect(200);
      expect(claimed.body.run.prompt).toContain('How your team works:\n- commits: Small ones.\n');
      expect(claimed.body.run.prompt).not.toContain('Gone.');
    });
  });
});
