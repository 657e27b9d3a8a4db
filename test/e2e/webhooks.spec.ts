import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApiKey, makeTeam, makeWorkspace } from '../factories/accounts.js';
import { makeWebhook } from '../factories/webhooks.js';
import { startTestService, type TestService } from '../support/service.js';

type Workspace = Awaited<ReturnType<typeof makeWorkspace>>;

describe('webhooks', () => {
  let service: TestService;
  let mine: Workspace;
  let other: Workspace;
  beforeAll(async () => {
    service = await startTestService();
    mine = await makeWorkspace(service.db);
    other = await makeWorkspace(service.db);
  });
  afterAll(() => service.close());

  const call = (method: 'get' | 'post' | 'patch' | 'delete', path: string, key = mine.key) =>
    service.http[method](`/api/v1/webhooks${path}`).set('X-API-Key', key);

  it('tells the secret at creation only', async () => {
    const made = await call('post', '').send({ org_id: mine.org.id, name: 'one' }).expect(201);
    expect(made.body.secret).toMatch(/^whsec_[\w-]{43}$/);
    expect(made.body).toMatchObject({
      team_id: null,
      provider: 'github',
      active: true,
      config: {},
      events: ['issues.opened', 'issues.closed', 'pull_request.opened', 'pull_request.merged'],
      secret_hint: made.body.secret.slice(-4),
      receive_url: `/api/v1/webhooks/${made.body.id}/receive`,
      health: { status: 'warning', warnings: [{ code: 'no_team' }], last_delivery_at: null },
    });
    const read = await call('get', `/${made.body.id}`).expect(200);
    expect(read.body.secret).toBeUndefined();
    expect(read.text).not.toContain(made.body.secret);
    const [row] = await service.db.query('SELECT secret FROM webhooks WHERE id = $1', [made.body.id]);
    expect(row.secret.includes(made.body.secret)).toBe(false);
  });

  it.each([
    [
      ['push', 'issues.labeled', 'issues.*', '*'],
      ['push', 'issues.labeled', 'issues.*', '*'],
    ],
    [
      ['issues', 'issues.opened', 'push'],
      ['issues.opened', 'issues.closed', 'push'],
    ],
    [['pull_request'], ['pull_request.opened', 'pull_request.merged']],
    [
      ['repository_dispatch.deploy', 'issue_comment'],
      ['repository_dispatch.deploy', 'issue_comment'],
    ],
  ])('normalises events %j', async (given, events) => {
    const made = await call('post', '').send({ org_id: mine.org.id, name: 'e', events: given }).expect(201);
    expect(made.body.events).toEqual(events);
  });

  it.each(['isues', 'issues.open', 'issues.', 'constructor', 'push.', ''])(
    'refuses the unknown event %j',
    async (name) => {
      const answer = await call('post', '').send({ org_id: mine.org.id, name: 'e', events: ['push', name] });
      expect(answer.status).toBe(422);
      expect(JSON.parse(answer.text).errors).toMatchObject([{ field: 'events.1' }]);
    },
  );

  it.each([
    [{ auto_asign: true }, 'config.auto_asign'],
    [{ auto_assign: 'yes' }, 'config.auto_assign'],
    [{ auto_assign_role: 'boss' }, 'config.auto_assign_role'],
    [{ repository: 'hello-world' }, 'config.repository'],
    [{ label_priorities: { now: 'urgent' } }, 'config.label_priorities'],
    [{ trust: 'everyone' }, 'config.trust'],
    [{ lifecycle: 'full' }, 'config.lifecycle'],
  ])('refuses config %j', async (config, field) => {
    const answer = await call('post', '')
      .send(`{"org_id":"${mine.org.id}","name":"c","config":${JSON.stringify(config)}}`)
      .set('Content-Type', 'application/json');
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.text).errors).toMatchObject([{ field }]);
  });

  it('accepts every key of config and replaces it as a whole', async () => {
    const config = {
      auto_assign: true,
      auto_assign_role: 'engineer',
      repository: 'octo-org/Hello.World',
      label_priorities: { 'on fire': 'critical' },
      trust: 'members',
      lifecycle: 'sync',
    };
    const { id } = await makeWebhook(service, mine.key, { org_id: mine.org.id, config });
    expect((await call('get', `/${id}`)).body.config).toEqual(config);
    const patched = await call('patch', `/${id}`)
      .send({ config: { trust: 'contributors' } })
      .expect(200);
    expect(patched.body.config).toEqual({ trust: 'contributors' });
  });

  it('leaves alone what PATCH does not name or gives as null', async () => {
    const made = await makeWebhook(service, mine.key, { org_id: mine.org.id, team_id: mine.team.id });
    const patched = await call('patch', `/${made.id}`)
      .send({ name: 'renamed', team_id: null, events: null, config: null, active: false })
      .expect(200);
    expect(patched.body).toMatchObject({ name: 'renamed', team_id: mine.team.id, active: false });
    expect(patched.body.events).toContain('issues.opened');
    await call('patch', `/${made.id}`).send({ events: [] }).expect(422);
  });

  it('refuses a team of another organization', async () => {
    const body = { org_id: mine.org.id, name: 't', team_id: other.team.id };
    expect((await call('post', '').send(body).expect(404)).text).toContain('team_not_found');
    const { id } = await makeWebhook(service, mine.key, { org_id: mine.org.id });
    await call('patch', `/${id}`).send({ team_id: other.team.id }).expect(404);
  });

  it('lists newest first, by organization, team and activity, in pages', async () => {
    const fresh = await makeWorkspace(service.db);
    const team = await makeTeam(service.db, fresh.org.id);
    const ids: string[] = [];
    for (const values of [{}, { team_id: team.id }, { team_id: fresh.team.id, active: false }])
      ids.unshift((await makeWebhook(service, fresh.key, { org_id: fresh.org.id, ...values })).id);
    const list = async (path: string) =>
      (await call('get', path, fresh.key).expect(200)).body.map((row: { id: string }) => row.id);
    expect(await list('')).toEqual(ids);
    expect(await list(`/orgs/${fresh.org.id}`)).toEqual(ids);
    expect(await list(`?org_id=${fresh.org.id}&team_id=${team.id}`)).toEqual([ids[1]]);
    expect(await list('?active_only=True')).toEqual(ids.slice(1));
    const first = await call('get', '?limit=2', fresh.key);
    const next = /<\/api\/v1\/webhooks(.*)>; rel="next"/.exec(first.headers['link'] ?? '')?.[1] ?? '';
    expect(await list(next)).toEqual(ids.slice(2));
  });

  it("does not know another organization's webhooks", async () => {
    const { id } = await makeWebhook(service, mine.key, { org_id: mine.org.id });
    for (const [method, path] of [
      ['get', `/${id}`],
      ['patch', `/${id}`],
      ['delete', `/${id}`],
      ['post', `/${id}/regenerate-secret`],
      ['get', `/orgs/${mine.org.id}`],
      ['get', `?org_id=${mine.org.id}`],
    ] as const)
      expect((await call(method, path, other.key)).status).toBe(404);
    await call('post', '', other.key).send({ org_id: mine.org.id, name: 'x' }).expect(404);
  });

  it('needs write to change, and no agent changes anything', async () => {
    const reader = await makeApiKey(service.db, mine.org.id, ['read']);
    const agent = await makeApiKey(service.db, mine.org.id, ['all'], { agent_id: mine.agent.id });
    const { id } = await makeWebhook(service, mine.key, { org_id: mine.org.id, team_id: mine.team.id });
    await call('get', `/${id}`, reader.key).expect(200);
    for (const { key } of [reader, agent]) {
      await call('patch', `/${id}`, key).send({ name: 'x' }).expect(403);
      await call('delete', `/${id}`, key).expect(403);
      await call('post', `/${id}/regenerate-secret`, key).expect(403);
    }
  });

  it('deletes', async () => {
    const { id } = await makeWebhook(service, mine.key, { org_id: mine.org.id });
    expect((await call('delete', `/${id}`).expect(200)).body).toEqual({ deleted: true });
    await call('get', `/${id}`).expect(404);
  });

  it('makes a new secret, with a grace period of seven days at the most', async () => {
    const { id, secret } = await makeWebhook(service, mine.key, { org_id: mine.org.id });
    const again = await call('post', `/${id}/regenerate-secret`).expect(200);
    expect(again.body.secret).toMatch(/^whsec_/);
    expect(again.body.secret).not.toBe(secret);
    expect(again.body.previous_secret_expires_at).toBeNull();
    const graced = await call('post', `/${id}/regenerate-secret`).send({ grace_period_seconds: 3600 });
    const left = new Date(graced.body.previous_secret_expires_at).getTime() - Date.now();
    expect(left).toBeGreaterThan(3_590_000);
    expect(left).toBeLessThan(3_610_000);
    await call('post', `/${id}/regenerate-secret`).send({ grace_period_seconds: 604_801 }).expect(422);
  });
});
