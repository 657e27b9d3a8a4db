import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { GithubClients } from '../../src/modules/github/client/github-clients.js';
import { makeApiKey, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import {
  makeWriteBackWorkspace,
  moveTask,
  openIssue,
  startGithubService,
  TOKEN,
  written,
} from '../factories/github.js';
import { GithubServer } from '../support/github-server.js';
import { asUser, withKey } from '../support/login.js';
import { type TestService } from '../support/service.js';
import { until } from '../support/until.js';

const pem = (type: 'pkcs1' | 'pkcs8' = 'pkcs1'): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type, format: 'pem' }).toString();
const PKCS1 = pem();

describe('GitHub credentials', () => {
  let github: GithubServer;
  let service: TestService;
  beforeAll(async () => {
    github = await GithubServer.start();
    service = await startGithubService();
  });
  afterAll(async () => {
    await service.close();
    await github.close();
  });

  const path = (org_id: string): string => `/api/v1/orgs/${org_id}/github-credentials`;

  it('are kept sealed, shown without their secret, and tested', async () => {
    const { org, key } = await makeWorkspace(service.db);
    await service.http.get(path(org.id)).set(withKey(key)).expect(404);
    const saved = await service.http
      .put(path(org.id))
      .set(withKey(key))
      .send({ token: TOKEN, base_url: `${github.url}/` })
      .expect(200);
    expect(saved.body).toMatchObject({
      org_id: org.id,
      kind: 'token',
      hint: '1234',
      app_id: null,
      base_url: github.url,
      login: null,
      last_error: null,
    });
    const tested = await service.http
      .post(`${path(org.id)}/test`)
      .set(withKey(key))
      .expect(200);
    expect(tested.body).toMatchObject({
      ok: true,
      login: 'entourage-user',
      scopes: ['repo', 'admin:repo_hook'],
      rate_limit: { limit: 5000 },
    });
    const shown = await service.http.get(path(org.id)).set(withKey(key)).expect(200);
    expect(shown.body).toMatchObject({ login: 'entourage-user', last_checked_at: expect.any(String) });
    const [row] = await service.db.query(
      'SELECT c::text AS all FROM github_credentials c WHERE org_id = $1',
      [org.id],
    );
    for (const text of [
      saved.text,
      tested.text,
      shown.text,
      row.all,
      Buffer.from(row.all).toString('latin1'),
    ])
      expect(text).not.toContain(TOKEN);
    const call = github.called('GET', /^\/user$/).at(-1)!;
    expect(call.headers['user-agent']).toMatch(/^Entourage\//);
    expect((await service.http.delete(path(org.id)).set(withKey(key)).expect(200)).body).toEqual({
      deleted: true,
    });
    await service.http.delete(path(org.id)).set(withKey(key)).expect(404);
  });

  it('say what GitHub says when it does not take them', async () => {
    const { org, key } = await makeWorkspace(service.db);
    await service.http
      .put(path(org.id))
      .set(withKey(key))
      .send({ token: 'ghp_wrong', base_url: github.url })
      .expect(200);
    const tested = await service.http
      .post(`${path(org.id)}/test`)
      .set(withKey(key))
      .expect(200);
    expect(tested.body).toEqual({ ok: false, login: null, error: 'GitHub answered 401: Bad credentials' });
    // One that is put right is used at once.
    await service.http
      .put(path(org.id))
      .set(withKey(key))
      .send({ token: TOKEN, base_url: github.url })
      .expect(200);
    expect(
      (
        await service.http
          .post(`${path(org.id)}/test`)
          .set(withKey(key))
          .expect(200)
      ).body.ok,
    ).toBe(true);
  });

  it('of an App sign in as its installation', async () => {
    const workspace = await makeWriteBackWorkspace(service, github);
    const { org, key, hook } = workspace;
    github.installations.add(77);
    const app = { app_id: 5, installation_id: 77, private_key: PKCS1 };
    const saved = await service.http
      .put(path(org.id))
      .set(withKey(key))
      .send({ app, base_url: github.url })
      .expect(200);
    expect(saved.body).toMatchObject({ kind: 'app', app_id: 5, installation_id: 77, hint: null });
    expect(saved.text).not.toContain('PRIVATE KEY');
    const tested = await service.http
      .post(`${path(org.id)}/test`)
      .set(withKey(key))
      .expect(200);
    expect(tested.body).toMatchObject({ ok: true, login: 'entourage[bot]' });
    const [header, claims, signature] = github
      .called('GET', /^\/app$/)[0]!
      .headers.authorization!.split(/[ .]/)
      .slice(1);
    expect(JSON.parse(Buffer.from(claims!, 'base64url').toString())).toMatchObject({ iss: 5 });
    const signed = Buffer.from(`${header}.${claims}`);
    expect(verify('sha256', signed, createPublicKey(PKCS1), Buffer.from(signature!, 'base64url'))).toBe(true);
    const { task_id, number, repository } = await openIssue(service, hook);
    await moveTask(service, key, task_id, 'in_progress');
    await until(() => github.commentsOf(repository, number).length === 1, 'the comment');
    expect(github.calls.at(-1)!.headers.authorization).toMatch(/^token ghs_77_/);
    expect(github.called('POST', /access_tokens$/)).toHaveLength(1);
    // Revoked on GitHub: another is asked for.
    for (const token of github.tokens) if (token.startsWith('ghs_77')) github.tokens.delete(token);
    await moveTask(service, key, task_id, 'in_review');
    await until(
      () => github.commentsOf(repository, number)[0]!.body.includes('review'),
      'the edited comment',
    );
    await written(service.db, task_id);
    expect(github.called('POST', /access_tokens$/)).toHaveLength(2);
  });

  it('of two organizations never share a token, whatever installation they name', async () => {
    github.installations.add(88);
    const one = await makeWorkspace(service.db);
    const two = await makeWorkspace(service.db);
    const spy = await GithubServer.start();
    try {
      const save = (workspace: typeof one, base_url: string) =>
        service.http
          .put(path(workspace.org.id))
          .set(withKey(workspace.key))
          .send({ app: { app_id: 5, installation_id: 88, private_key: PKCS1 }, base_url })
          .expect(200);
      await save(one, github.url);
      await save(two, spy.url);
      const clients = service.app.get(GithubClients);
      const [mine, theirs] = [await clients.of(one.org.id), await clients.of(two.org.id)];
      await Promise.allSettled([
        mine!.octokit.request('GET /user'),
        theirs!.octokit.request('GET /user'),
        mine!.octokit.request('GET /user'),
        theirs!.octokit.request('GET /user'),
      ]);
      expect(spy.calls.length).toBeGreaterThan(0);
      expect(spy.calls.filter(({ headers }) => headers.authorization?.includes('ghs_'))).toEqual([]);
    } finally {
      await spy.close();
    }
  });

  it('name an installation that gives no token as what is wrong', async () => {
    const { org, key } = await makeWorkspace(service.db);
    const app = { app_id: 5, installation_id: 99, private_key: pem('pkcs8') };
    await service.http.put(path(org.id)).set(withKey(key)).send({ app, base_url: github.url }).expect(200);
    const tested = await service.http
      .post(`${path(org.id)}/test`)
      .set(withKey(key))
      .expect(200);
    expect(tested.body).toMatchObject({
      ok: false,
      error: expect.stringContaining('installation gives no token'),
    });
  });

  it.each([
    ['neither', {}, 'token'],
    ['both', { token: 'a', app: { app_id: 1, installation_id: 1, private_key: PKCS1 } }, 'token'],
    ['a token with a line break', { token: 'a\nb' }, 'token'],
    ['a key that is none', { app: { app_id: 1, installation_id: 1, private_key: 'no' } }, 'app.private_key'],
    ['an App without its number', { app: { installation_id: 1, private_key: PKCS1 } }, 'app.app_id'],
    ['a URL that is none', { token: 'a', base_url: 'ghe' }, 'base_url'],
    ['another protocol', { token: 'a', base_url: 'ftp://ghe.example.com' }, 'base_url'],
    ['the metadata service', { token: 'a', base_url: 'http://169.254.169.254/latest' }, 'base_url'],
    ['a private address', { token: 'a', base_url: 'http://10.0.0.1/api/v3' }, 'base_url'],
    ['a loopback in disguise', { token: 'a', base_url: 'http://[::ffff:a00:1]/api/v3' }, 'base_url'],
  ])('refuse %s with the field that is wrong', async (_, given, field) => {
    const { org, key } = await makeWorkspace(service.db);
    const { body } = await service.http.put(path(org.id)).set(withKey(key)).send(given).expect(422);
    expect(body.errors.map((error: { field: string }) => error.field)).toEqual([field]);
  });

  it('are managed by owners, admins and keys of the organization, read by members, hidden from strangers', async () => {
    const { org, agent, key } = await makeWorkspace(service.db);
    const stranger = await makeWorkspace(service.db);
    const member = await makeUser(service.db);
    await makeMembership(service.db, org.id, member.id, 'member');
    const admin = await makeUser(service.db);
    await makeMembership(service.db, org.id, admin.id, 'admin');
    const writer = await makeApiKey(service.db, org.id, ['write']);
    const agents = await makeApiKey(service.db, org.id, ['all'], { agent_id: agent.id });
    const body = { token: TOKEN, base_url: github.url };
    const put = async (headers: Record<string, string>): Promise<number> =>
      (await service.http.put(path(org.id)).set(headers).send(body)).status;
    const get = async (headers: Record<string, string>): Promise<number> =>
      (await service.http.get(path(org.id)).set(headers)).status;
    expect(await put(asUser(admin))).toBe(200);
    expect(await put(withKey(key))).toBe(200);
    for (const headers of [asUser(member), withKey(writer.key), withKey(agents.key)]) {
      expect(await put(headers)).toBe(403);
      expect((await service.http.delete(path(org.id)).set(headers)).status).toBe(403);
      expect((await service.http.post(`${path(org.id)}/test`).set(headers)).status).toBe(403);
    }
    expect(await get(asUser(member))).toBe(200);
    expect(await get(withKey(agents.key))).toBe(403);
    expect(await put(withKey(stranger.key))).toBe(404);
    expect(await get(withKey(stranger.key))).toBe(404);
  });
});
