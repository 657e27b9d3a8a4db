import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JwtService, type JwtSignOptions } from '@nestjs/jwt';
import { ApiKey } from '../../src/modules/auth/api-key.entity.js';
import { KeyUsage } from '../../src/modules/auth/api-keys/key-usage.js';
import { User } from '../../src/modules/auth/user.entity.js';
import { makeAgent, makeApiKey, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import { startTestService, TEST_SETTINGS, type TestService } from '../support/service.js';

describe('the guard', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let user: User;
  beforeAll(async () => {
    service = await startTestService();
    workspace = await makeWorkspace(service.db);
    user = await makeUser(service.db, { name: 'Grace' });
    await makeMembership(service.db, workspace.org.id, user.id);
  });
  afterAll(() => service.close());

  const me = (headers: Record<string, string>) => service.http.get('/api/v1/auth/me').set(headers);
  const sign = (
    claims: object = {},
    options: JwtSignOptions = {},
    secret = TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
  ): string =>
    new JwtService({}).sign(
      { type: 'access', ...claims },
      {
        secret,
        subject: user.id,
        issuer: 'entourage',
        audience: 'entourage-api',
        expiresIn: 60,
        ...options,
      },
    );
  const refused = async (headers: Record<string, string>, code: string, detail: string): Promise<void> => {
    const answer = await me(headers).expect(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(JSON.parse(answer.text)).toMatchObject({ status: 401, code, detail });
  };

  it('asks for a credential where there is none', async () => {
    await refused({}, 'authentication_required', 'Authentication required');
    await refused({ 'X-API-Key': '' }, 'authentication_required', 'Authentication required');
    await refused({ Authorization: 'Basic eDp5' }, 'authentication_required', 'Authentication required');
    await refused({ Authorization: 'Bearer' }, 'authentication_required', 'Authentication required');
  });

  it('knows a user by an access token', async () => {
    const answer = await me({ Authorization: `Bearer ${sign()}` }).expect(200);
    expect(answer.body).toEqual({ type: 'user', id: user.id, email: user.email, name: 'Grace' });
  });

  it('knows a key by X-API-Key and by Bearer', async () => {
    const expected = { type: 'api_key', org_id: workspace.org.id, scopes: ['all'], agent_id: null };
    expect((await me({ 'X-API-Key': workspace.key }).expect(200)).body).toMatchObject(expected);
    expect((await me({ Authorization: `Bearer ${workspace.key}` }).expect(200)).body).toMatchObject(expected);
    expect((await me({ Authorization: `bearer  ${workspace.key}` }).expect(200)).body).toMatchObject(
      expected,
    );
  });

  it('lets X-API-Key win over Bearer, also when it is the wrong one of the two', async () => {
    const both = await me({ 'X-API-Key': workspace.key, Authorization: `Bearer ${sign()}` }).expect(200);
    expect(both.body).toMatchObject({ type: 'api_key' });
    await refused(
      { 'X-API-Key': 'oc_wrong', Authorization: `Bearer ${sign()}` },
      'invalid_api_key',
      'Invalid API key',
    );
  });

  it('knows an agent by its key', async () => {
    const { key } = await makeApiKey(service.db, workspace.org.id, ['all'], { agent_id: workspace.agent.id });
    expect((await me({ 'X-API-Key': key }).expect(200)).body).toMatchObject({
      agent_id: workspace.agent.id,
      team_id: workspace.team.id,
    });
  });

  it('refuses unknown, malformed, revoked and expired keys', async () => {
    for (const key of [
      `oc_${'A'.repeat(43)}`,
      'oc_',
      'nonsense',
      `${workspace.key}x`,
      `oc_${'é'.repeat(20)}`,
    ])
      await refused({ 'X-API-Key': key }, 'invalid_api_key', 'Invalid API key');
    const expired = await makeApiKey(service.db, workspace.org.id, ['all'], {
      expires_at: new Date(Date.now() - 1000),
    });
    await refused({ 'X-API-Key': expired.key }, 'api_key_expired', 'API key has expired');
    const revoked = await makeApiKey(service.db, workspace.org.id);
    await me({ 'X-API-Key': revoked.key }).expect(200);
    await service.db.getRepository(ApiKey).update(revoked.row.id, { revoked_at: new Date() });
    await refused({ 'X-API-Key': revoked.key }, 'invalid_api_key', 'Invalid API key');
  });

  it('refuses every token but a valid access token of ours', async () => {
    const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${sign().split('.')[1]}.`;
    const wrong = [
      'not-a-token',
      none,
      sign({}, {}, 'another-secret-another-secret-another-secret'),
      sign({}, { algorithm: 'HS512' }),
      sign({}, { issuer: 'someone' }),
      sign({}, { audience: 'something' }),
      sign({}, { subject: '018f0000-0000-7000-8000-000000000000' }),
      sign({}, { subject: 'not-a-uuid' }),
    ];
    for (const token of wrong) await refused(bearer(token), 'invalid_token', 'Invalid token');
    await refused(bearer(sign({ type: 'refresh' })), 'invalid_token', 'Not an access token');
    await refused(bearer(sign({ type: undefined })), 'invalid_token', 'Not an access token');
    await refused(bearer(sign({}, { expiresIn: -1 })), 'invalid_token', 'Token has expired');
  });

  it('never mixes up callers that come at the same moment', async () => {
    const agents = await Promise.all(Array.from({ length: 30 }, () => makeAgent(service.db, workspace.team)));
    const keys = await Promise.all(
      agents.map((agent) => makeApiKey(service.db, workspace.org.id, ['all'], { agent_id: agent.id })),
    );
    const answers = await Promise.all(
      keys.flatMap(({ key }) => [
        me({ 'X-API-Key': key }),
        me({ Authorization: `Bearer ${sign()}` }),
        me({ 'X-API-Key': 'oc_wrong' }),
      ]),
    );
    agents.forEach((agent, index) => {
      expect(answers[index * 3]!.body).toMatchObject({ agent_id: agent.id });
      expect(answers[index * 3 + 1]!.body).toMatchObject({ type: 'user', id: user.id });
      expect(answers[index * 3 + 2]!.status).toBe(401);
    });
  });

  it('writes last_used_at once a minute, beside the request', async () => {
    const { key, row } = await makeApiKey(service.db, workspace.org.id);
    const lastUsed = async (): Promise<Date | null> => {
      await service.app.get(KeyUsage).settled();
      return (await service.db.getRepository(ApiKey).findOneByOrFail({ id: row.id })).last_used_at;
    };
    expect(await lastUsed()).toBeNull();
    await me({ 'X-API-Key': key }).expect(200);
    const first = await lastUsed();
    expect(Math.abs(first!.getTime() - Date.now())).toBeLessThan(10_000);
    await me({ 'X-API-Key': key }).expect(200);
    expect(await lastUsed()).toEqual(first);
  });
});
