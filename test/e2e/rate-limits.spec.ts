import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { makeApiKey, makeWorkspace } from '../factories/accounts.js';
import { withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';

describe('rate limits', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({
      ENTOURAGE_RATE_LIMIT_PER_MINUTE: 5,
      ENTOURAGE_LOGIN_RATE_LIMIT_PER_MINUTE: 3,
      ENTOURAGE_TRUSTED_PROXIES: ['127.0.0.1'],
    });
  });
  afterAll(() => service.close());
  /** An address that no test has used. */
  let address: string;
  let number = 0;
  const newAddress = (): string => `192.0.2.${++number}`;
  beforeEach(() => {
    address = newAddress();
  });

  const from = (ip = address) => ({ 'X-Forwarded-For': ip });
  const login = (email: unknown, ip?: string) =>
    service.http.post('/api/v1/auth/login').set(from(ip)).send({ email, password: 'wrong password' });
  const limits = (answer: Response) => [
    answer.status,
    answer.headers['x-ratelimit-limit'],
    answer.headers['x-ratelimit-remaining'],
  ];
  const times = async (count: number, request: () => PromiseLike<Response>): Promise<Response[]> => {
    const answers: Response[] = [];
    for (let index = 0; index < count; index++) answers.push(await request());
    return answers;
  };

  it('count per credential, and say so', async () => {
    const { org, key } = await makeWorkspace(service.db);
    const orgs = (headers: object, ip?: string) =>
      service.http.get('/api/v1/orgs').set({ ...headers, ...from(ip) });
    const answers = await times(7, () => orgs(withKey(key), newAddress()));
    expect(answers.map(limits)).toEqual([
      [200, '5', '4'],
      [200, '5', '3'],
      [200, '5', '2'],
      [200, '5', '1'],
      [200, '5', '0'],
      [429, '5', '0'],
      [429, '5', '0'],
    ]);
    const refused = answers[6]!;
    expect(refused.headers['content-type']).toMatch('application/problem+json');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    expect(JSON.parse(refused.text)).toMatchObject({
      status: 429,
      code: 'rate_limited',
      detail: 'Rate limit exceeded. Try again later.',
    });
    const other = await makeApiKey(service.db, org.id);
    await orgs(withKey(other.key)).expect(200);
  });

  it('count per address where no credential is valid, without harm to those that are', async () => {
    const { key } = await makeWorkspace(service.db);
    const orgs = (headers: object) => service.http.get('/api/v1/orgs').set({ ...headers, ...from() });
    let index = 0;
    const answers = await times(6, () => orgs(withKey(`oc_${String(index++).padStart(43, 'x')}`)));
    expect(answers.map((answer) => answer.status)).toEqual([401, 401, 401, 401, 401, 429]);
    await orgs({}).expect(429);
    await orgs(withKey(key)).expect(200);
  });

  it('leave documentation, health, metrics, receiving and unknown routes alone', async () => {
    const receive = '/api/v1/webhooks/018f0000-0000-7000-8000-000000000000/receive';
    for (const path of ['/docs-json', '/api/v1/health', '/metrics', receive, '/api/v1/nothing']) {
      const answers = await times(8, () => {
        const request = path === receive ? service.http.post(path) : service.http.get(path);
        return request.set(from());
      });
      expect(answers.some((answer) => answer.status === 429)).toBe(false);
    }
  });

  it('count refreshes per address', async () => {
    const answers = await times(6, () =>
      service.http.post('/api/v1/auth/refresh').set(from()).send({ refresh_token: 'x' }),
    );
    expect(answers.map((answer) => answer.status)).toEqual([401, 401, 401, 401, 401, 429]);
  });

  it('count logins and registrations per address, whatever the account', async () => {
    const register = (email: string) =>
      service.http
        .post('/api/v1/auth/register')
        .set(from())
        .send({ email, name: 'X', password: 'password1' });
    expect(limits(await register('limit1@example.com'))).toEqual([201, '3', '2']);
    expect(limits(await login('limit2@example.com'))).toEqual([401, '3', '1']);
    expect(limits(await login('limit3@example.com'))).toEqual([401, '3', '0']);
    const refused = await login('limit4@example.com');
    expect(limits(refused)).toEqual([429, '3', '0']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await register('limit5@example.com').expect(429);
    await login('limit4@example.com', newAddress()).expect(401);
  });

  it('count logins per account, whatever the address and spelling', async () => {
    const spellings = [
      'victim@example.com',
      'VICTIM@example.com',
      ' victim@Example.com ',
      'Victim@example.com',
    ];
    const statuses: number[] = [];
    for (const email of spellings) statuses.push((await login(email, newAddress())).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    await login('somebody-else@example.com', newAddress()).expect(401);
  });

  it('do not let an address that is refused use up an account', async () => {
    await times(4, () => login('noise@example.com'));
    const refused = await times(4, () => login('kept@example.com'));
    expect(refused.map((answer) => answer.status)).toEqual([429, 429, 429, 429]);
    await login('kept@example.com', newAddress()).expect(401);
  });

  it('count what is no email for the address', async () => {
    const answers = await times(4, () => login({ toString: 'x' }));
    expect(answers.map((answer) => answer.status)).toEqual([422, 422, 422, 429]);
  });

  it('take one IPv6 network for one address, and believe no forged header', async () => {
    const answers: number[] = [];
    for (let index = 1; index <= 4; index++)
      answers.push((await login(`v6-${index}@example.com`, `2001:db8:0:1::${index}`)).status);
    expect(answers).toEqual([401, 401, 401, 429]);
    const direct = await startTestService({ ENTOURAGE_LOGIN_RATE_LIMIT_PER_MINUTE: 2 });
    try {
      const statuses: number[] = [];
      for (let index = 1; index <= 3; index++) {
        const request = direct.http.post('/api/v1/auth/login').set(from(newAddress()));
        statuses.push((await request.send({ email: `f${index}@example.com`, password: 'x' })).status);
      }
      expect(statuses).toEqual([401, 401, 429]);
    } finally {
      await direct.close();
    }
  });

  it('are off at 0', async () => {
    const free = await startTestService();
    try {
      const { key } = await makeWorkspace(free.db);
      const answers = await times(30, () => free.http.get('/api/v1/orgs').set(withKey(key)));
      expect(answers.every((answer) => answer.status === 200)).toBe(true);
      expect(answers[0]!.headers).not.toHaveProperty('x-ratelimit-limit');
    } finally {
      await free.close();
    }
  });
});
