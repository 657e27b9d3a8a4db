import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { ApiKey } from '../../src/modules/auth/api-key.entity.js';
import { makeAgent, makeApiKey, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import { asUser, withKey } from '../support/login.js';
import { type Response } from 'supertest';
import { startTestService, type TestService } from '../support/service.js';

describe('API keys', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let owner: Record<string, string>;
  let path: string;
  beforeAll(async () => {
    service = await startTestService();
    workspace = await makeWorkspace(service.db);
    const user = await makeUser(service.db);
    await makeMembership(service.db, workspace.org.id, user.id, 'owner');
    owner = asUser(user);
    path = `/api/v1/auth/orgs/${workspace.org.id}/api-keys`;
  });
  afterAll(() => service.close());

  const create = (body: object, headers = owner) => service.http.post(path).set(headers).send(body);
  const me = (key: string) => service.http.get('/api/v1/auth/me').set(withKey(key));

  it('shows a new key once and keeps its hash', async () => {
    const { body } = await create({ name: 'ci' }).expect(201);
    expect(body).toMatchObject({ name: 'ci', scopes: ['all'], agent_id: null, expires_at: null });
    expect(body.key).toMatch(/^oc_[\w-]{43}$/);
    expect(body.prefix).toBe(body.key.slice(0, 10));
    expect(body.created_at).toMatch(/Z$/);
    const row = await service.db.getRepository(ApiKey).findOneByOrFail({ id: body.id });
    expect(row.key_hash.equals(createHash('sha256').update(body.key).digest())).toBe(true);
    expect(JSON.stringify(row)).not.toContain(body.key);
    await me(body.key).expect(200);
    const list = await service.http.get(path).set(owner).expect(200);
    expect(list.text).not.toContain(body.key);
    const listed = (list.body as { id: string }[]).find((one) => one.id === body.id);
    expect(Object.keys(listed!).sort()).toEqual(
      ['agent_id', 'created_at', 'expires_at', 'id', 'last_used_at', 'name', 'prefix', 'scopes'].sort(),
    );
  });

  it('lists newest first, in pages', async () => {
    const { org, key } = await makeWorkspace(service.db);
    const list = `/api/v1/auth/orgs/${org.id}/api-keys`;
    for (const name of ['a', 'b', 'c', 'd'])
      await service.http.post(list).set(withKey(key)).send({ name }).expect(201);
    const names: string[] = [];
    let next: string | undefined = `${list}?limit=2`;
    while (next !== undefined) {
      const page: Response = await service.http.get(next).set(withKey(key)).expect(200);
      names.push(...(page.body as { name: string }[]).map((one) => one.name));
      next = /<(.*)>; rel="next"/.exec(page.headers['link'] ?? '')?.[1];
    }
    expect(names).toEqual(['d', 'c', 'b', 'a', 'test']);
    await service.http.get(`${list}?cursor=WyJ4Il0`).set(withKey(key)).expect(400);
  });

  it('expires after the days given; 0 and null are never', async () => {
    const { body } = await create({ name: 'week', expires_days: 7 }).expect(201);
    expect(Math.round((Date.parse(body.expires_at) - Date.now()) / 86_400_000)).toBe(7);
    for (const expires_days of [0, null, '0'])
      expect((await create({ name: 'never', expires_days }).expect(201)).body.expires_at).toBeNull();
  });

  it.each([
    ['scopes', { scopes: [] }],
    ['scopes', { scopes: ['root'] }],
    ['scopes', { scopes: 'all' }],
    ['expires_days', { expires_days: -1 }],
    ['name', { name: '' }],
    ['agent_id', { agent_id: 'x' }],
  ])('wants right %s: %j', async (field, values) => {
    const answer = await create({ name: 'x', ...values }).expect(422);
    expect(JSON.parse(answer.text)).toMatchObject({ errors: [{ field }] });
  });

  it("makes an agent's key, for agents of the organization only", async () => {
    const agent_id = workspace.agent.id;
    const { body } = await create({ name: 'worker', scopes: ['agent', 'agent'], agent_id }).expect(201);
    expect(body).toMatchObject({ scopes: ['agent'], agent_id });
    expect((await me(body.key).expect(200)).body).toMatchObject({ agent_id, team_id: workspace.team.id });
    const elsewhere = await makeWorkspace(service.db);
    const answer = await create({ name: 'worker', agent_id: elsewhere.agent.id }).expect(404);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'agent_not_found' });
  });

  it('revokes at once', async () => {
    const { body } = await create({ name: 'gone' }).expect(201);
    await me(body.key).expect(200);
    const answer = await service.http.delete(`/api/v1/auth/api-keys/${body.id}`).set(owner).expect(200);
    expect(answer.body).toEqual({ deleted: true });
    await me(body.key).expect(401);
    await service.http.delete(`/api/v1/auth/api-keys/${body.id}`).set(owner).expect(404);
    const list = await service.http.get(path).set(owner).expect(200);
    expect(list.text).not.toContain(body.id);
  });

  it('enforces scopes, and limits who makes keys', async () => {
    const keyOf = async (...args: Parameters<typeof makeApiKey> extends [unknown, ...infer R] ? R : never) =>
      withKey((await makeApiKey(service.db, ...args)).key);
    const org = workspace.org.id;
    const read = await keyOf(org, ['read']);
    const write = await keyOf(org, ['write']);
    const agent = await keyOf(org, ['agent'], { agent_id: workspace.agent.id });
    const agentAll = await keyOf(org, ['all'], { agent_id: workspace.agent.id });
    const agentsMember = await makeAgent(service.db, workspace.team);
    const code = async (request: Promise<{ status: number; text: string }>) => {
      const { status, text } = await request;
      return status < 300 ? status : `${status} ${(JSON.parse(text) as { code: string }).code}`;
    };
    const team = (headers: Record<string, string>) =>
      code(
        service.http
          .post(`/api/v1/orgs/${org}/teams`)
          .set(headers)
          .send({ name: 'x', slug: `s-${Math.random()}`.replace('.', '') }),
      );
    const orgs = (headers: Record<string, string>) => code(service.http.get('/api/v1/orgs').set(headers));
    const oneAgent = (headers: Record<string, string>) =>
      code(service.http.get(`/api/v1/agents/${agentsMember.id}`).set(headers));
    const newKey = (headers: Record<string, string>) => code(create({ name: 'k' }, headers));
    expect(await Promise.all([read, write, agent, agentAll].map(orgs))).toEqual([
      200,
      200,
      '403 insufficient_scope',
      200,
    ]);
    expect(await Promise.all([read, write, agent, agentAll].map(oneAgent))).toEqual([200, 200, 200, 200]);
    expect(await Promise.all([read, write, agent, agentAll].map(team))).toEqual([
      '403 insufficient_scope',
      201,
      '403 insufficient_scope',
      '403 forbidden',
    ]);
    expect(await Promise.all([read, write, agent, agentAll].map(newKey))).toEqual([
      '403 insufficient_scope',
      '403 insufficient_scope',
      '403 insufficient_scope',
      '403 forbidden',
    ]);
    const member = await makeUser(service.db);
    await makeMembership(service.db, org, member.id, 'member');
    expect(await newKey(asUser(member))).toBe('403 forbidden');
  });
});
