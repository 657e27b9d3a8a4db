import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { type Response } from 'supertest';
import { makeApiKey, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import { makeOutboundWebhook } from '../factories/outbound.js';
import { deliver, makeWebhook } from '../factories/webhooks.js';
import { asUser, withKey } from '../support/login.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

type Json = ReturnType<typeof JSON.parse>;
const PATH = '/api/v1/outbound-webhooks';

describe('outbound webhooks', () => {
  let service: TestService;
  let receiver: Receiver;
  let work: Awaited<ReturnType<typeof makeWorkspace>>;
  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.1/32'] });
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    receiver = await startReceiver();
    work = await makeWorkspace(service.db);
  });
  afterEach(() => receiver.close());

  const hook = (values: Record<string, unknown> = {}) =>
    makeOutboundWebhook(service, work.key, { org_id: work.org.id, url: `${receiver.url}/`, ...values });
  const send = (method: 'get' | 'post' | 'patch' | 'delete', path: string, body?: object, headers = {}) =>
    service.http[method](`${PATH}${path}`)
      .set({ ...withKey(work.key), ...headers })
      .send(body);
  const call = async (
    method: 'get' | 'post' | 'patch' | 'delete',
    path: string,
    body?: object,
  ): Promise<Json> => {
    const answer = await send(method, path, body);
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.text}`);
    return answer.body;
  };
  const makeTask = () =>
    service.http
      .post(`/api/v1/teams/${work.team.id}/tasks`)
      .set('X-API-Key', work.key)
      .send({ title: 'Fix the login' })
      .expect(201);
  const arrived = (count: number) =>
    until(() => receiver.received.length >= count && receiver.received, `${count} notifications`);

  it('shows its secret when it is made and when it is made anew, and never again', async () => {
    const made = await hook({
      api_key: 'key-of-the-receiver',
      description: 'CI',
      events: ['task.created', '*'],
    });
    expect(made).toEqual({
      id: expect.any(String),
      org_id: work.org.id,
      team_id: null,
      url: `${receiver.url}/`,
      description: 'CI',
      events: ['task.created', '*'],
      active: true,
      disabled_reason: null,
      disabled_at: null,
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
      secret_hint: made.secret.slice(-4),
      secret_created_at: expect.any(String),
      previous_secrets: [],
      api_key_hint: 'iver',
      max_concurrency: 5,
      rate_per_second: 10,
      health: expect.objectContaining({ status: 'ok' }),
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const { secret: _, ...rest } = made as Json;
    expect(await call('get', `/${made.id}`)).toEqual(rest);
    expect(await call('get', '')).toEqual([rest]);
    const rows = await service.db.query('SELECT w::text AS row FROM outbound_webhooks w');
    for (const secret of [made.secret, Buffer.from(made.secret).toString('hex'), 'key-of-the-receiver'])
      expect(JSON.stringify(rows)).not.toContain(secret);
    expect(await call('delete', `/${made.id}`)).toEqual({ deleted: true });
    await send('get', `/${made.id}`).expect(404);
  });

  it('signs with the old secret too, as long as it was given', async () => {
    const { id, secret: old } = await hook({ events: ['task.created'] });
    const { secret, previous_secrets } = await call('post', `/${id}/regenerate-secret`, {});
    expect(previous_secrets).toEqual([{ hint: old.slice(-4), expires_at: expect.any(String) }]);
    expect(Date.parse(previous_secrets[0].expires_at) - Date.now()).toBeGreaterThan(86_000_000);
    await makeTask();
    const [{ headers, body }] = (await arrived(1)) as [Json];
    const hex = (key: string): string => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
    expect(headers['x-entourage-signature']).toBe(hex(secret));
    expect(headers['x-entourage-signature-previous']).toBe(hex(old));
    for (const key of [secret, old])
      expect(new StandardWebhook(key).verify(body, headers)).toMatchObject({ event: 'task.created' });
    const { secret: last } = await call('post', `/${id}/regenerate-secret`, { grace_period_seconds: 0 });
    await makeTask();
    const [, second] = (await arrived(2)) as [Json, Json];
    expect(second.headers['x-entourage-signature-previous']).toBeUndefined();
    expect(new StandardWebhook(last).verify(second.body, second.headers)).toBeDefined();
    expect(() => new StandardWebhook(secret).verify(second.body, second.headers)).toThrow();
    for (let count = 0; count < 10; count += 1) await call('post', `/${id}/regenerate-secret`, {});
    const refused = await send('post', `/${id}/regenerate-secret`, {});
    expect([refused.status, refused.body.code]).toEqual([409, 'too_many_secrets']);
  });

  it.each([
    'http://127.0.0.2/',
    'http://10.0.0.1/',
    'http://2130706434/',
    'http://0x7f.0.0.2/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.2]/',
    'http://[64:ff9b::7f00:2]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://224.0.0.1/',
    'http://[fd00:ec2::254]/',
    'http://１２７.0.0.2/',
    'http://127.2/',
    'http://name.invalid/',
    'http://1.1.1.1:22/',
    'ftp://1.1.1.1/',
    'http://user:pass@1.1.1.1/',
    'nonsense',
  ])('refuses the URL %s, loudly, when it is made and when it is changed', async (url) => {
    const { id } = await hook();
    for (const answer of [
      await send('post', '', { org_id: work.org.id, url, events: ['*'] }),
      await send('patch', `/${id}`, { url }),
    ])
      expect([answer.status, answer.body.code, answer.body.errors]).toEqual([
        422,
        'validation_failed',
        [{ field: 'url', message: expect.stringMatching(/\w/) }],
      ]);
  });

  it('says what is wrong with a body', async () => {
    const good = { org_id: work.org.id, url: receiver.url, events: ['*'] };
    for (const [fault, field] of [
      [{ events: ['task.done'] }, 'events.0'],
      [{ events: [] }, 'events'],
      [{ events: null }, 'events'],
      [{ api_key: 'with\r\nnewline' }, 'api_key'],
      [{ api_key: 'schlüssel' }, 'api_key'],
      [{ rate_per_second: 0 }, 'rate_per_second'],
      [{ max_concurrency: 101 }, 'max_concurrency'],
      [{ org_id: 'acme' }, 'org_id'],
      [{ description: 'a\0b' }, 'description'],
    ] as const) {
      const answer = await send('post', '', { ...good, ...fault });
      expect([answer.status, answer.body.errors?.map((error: Json) => error.field)]).toEqual([422, [field]]);
    }
    const elsewhere = await makeWorkspace(service.db);
    const foreign = await send('post', '', { ...good, team_id: elsewhere.team.id });
    expect([foreign.status, foreign.body.code]).toEqual([404, 'team_not_found']);
  });

  it('hides the values of the query, and takes the shown URL for the one it has', async () => {
    const { id } = await hook({ url: `${receiver.url}/in?token=s3cret&x=1`, events: ['task.created'] });
    const { url } = await call('get', `/${id}`);
    expect(url).toBe(`${receiver.url}/in?token=***&x=***`);
    await call('patch', `/${id}`, { url, description: 'as shown' });
    await makeTask();
    await arrived(1);
    expect(receiver.received[0]!.path).toBe('/in?token=s3cret&x=1');
  });

  it('is managed by those who manage the organization', async () => {
    const { id } = await hook();
    const member = await makeUser(service.db);
    await makeMembership(service.db, work.org.id, member.id, 'member');
    const agentKey = await makeApiKey(service.db, work.org.id, ['all'], { agent_id: work.agent.id });
    const reader = await makeApiKey(service.db, work.org.id, ['read']);
    for (const [headers, status] of [
      [asUser(member), 403],
      [withKey(agentKey.key), 403],
      [withKey(reader.key), 403],
    ] as const) {
      const answers = await Promise.all([
        service.http
          .post(PATH)
          .set(headers)
          .send({ org_id: work.org.id, url: receiver.url, events: ['*'] }),
        service.http.post(`${PATH}/${(await hook({ team_id: work.team.id })).id}/test`).set(headers),
      ]);
      expect(answers.map((answer) => answer.status)).toEqual([status, status]);
    }
    await service.http.get(`${PATH}/${id}`).set(asUser(member)).expect(200);
  });

  it('tries a webhook out, also a disabled one, and answers what came back', async () => {
    const { id } = await hook({ active: false });
    expect(await call('post', `/${id}/test`)).toMatchObject({
      ok: true,
      event: 'webhook.test',
      status: 'succeeded',
      attempts: 1,
      response_status: 200,
      attempt_log: [{ outcome: 'succeeded', response_body: 'thanks' }],
    });
    expect(receiver.received[0]!.json).toMatchObject({
      event: 'webhook.test',
      task_id: null,
      data: { webhook_id: id },
    });
    receiver.answer((_, response) => response.writeHead(500).end('broken'));
    expect(await call('post', `/${id}/test`)).toMatchObject({
      ok: false,
      status: 'failed',
      error: 'http_500',
      next_attempt_at: null,
      attempt_log: [{ response_body: 'broken', retry_at: null }],
    });
    expect((await call('get', `/${id}/deliveries?event=webhook.test`)).length).toBe(2);
  });

  it('sends one delivery again because a person says so, once', async () => {
    const { id } = await hook({ events: ['task.created'] });
    await makeTask();
    await arrived(1);
    const [one] = await until(async () => {
      const rows = await call('get', `/${id}/deliveries?status=succeeded`);
      return rows.length === 1 && rows;
    }, 'the delivery to be taken');
    receiver.answer(500);
    await call('post', `/${id}/deliveries/${one.id}/retry`);
    const failed = await until(async () => {
      const now = await call('get', `/${id}/deliveries/${one.id}`);
      return now.status === 'failed' && now;
    }, 'the second attempt to fail');
    expect(failed).toMatchObject({ attempts: 2, next_attempt_at: null });
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([one.id, one.id]);
    receiver.answer(200);
    await call('post', `/${id}/deliveries/${one.id}/retry`);
    await arrived(3);
  });

  it('keeps to the rate and the concurrency that it was given', async () => {
    receiver.answer((_, response) => setTimeout(() => response.writeHead(200).end(), 30));
    const { id } = await hook({ events: ['task.created'], rate_per_second: 5, max_concurrency: 2 });
    for (let count = 0; count < 12; count += 1) await makeTask();
    await arrived(12);
    const attempts = () =>
      service.db.query(
        `SELECT count(*)::int AS count, extract(epoch FROM max(a.started_at) - min(a.started_at))::float8 AS seconds
         FROM outbound_attempts a JOIN outbound_deliveries d ON d.position = a.delivery_position WHERE d.webhook_id = $1`,
        [id],
      );
    const [{ seconds }] = await until(async () => {
      const rows = await attempts();
      return rows[0].count === 12 && rows;
    }, 'all of them to be recorded');
    // Five out of a full bucket, then five a second: the twelfth comes 1.4 s after the first at the earliest.
    expect(seconds).toBeGreaterThan(1.2);
    expect(receiver.peak).toBeLessThanOrEqual(2);
  });

  it('pages its lists, newest first', async () => {
    const { id } = await hook({ events: ['task.created'] });
    for (let count = 0; count < 5; count += 1) await makeTask();
    await arrived(5);
    const seen: number[] = [];
    let path: string | null = `/${id}/deliveries?limit=2`;
    while (path !== null) {
      const answer: Response = await send('get', path).expect(200);
      expect(answer.body.length).toBeLessThanOrEqual(2);
      seen.push(...answer.body.map((one: Json) => one.task_id));
      const next: string | undefined = /<(.+)>; rel="next"/.exec(answer.headers['link'] ?? '')?.[1];
      path = next === undefined ? null : next.slice(PATH.length);
    }
    expect(seen.length).toBe(5);
    expect(seen).toEqual(seen.toSorted((a, b) => b - a));
    expect((await call('get', `/${id}/deliveries?task_id=${seen[0]}`)).length).toBe(1);
    const future = new Date(Date.now() + 60_000).toISOString();
    expect(await call('get', `/${id}/deliveries?since=${future}`)).toEqual([]);
    await send('get', `/${id}/deliveries?cursor=nonsense`).expect(400);
    await hook();
    expect((await send('get', '?limit=1')).headers['link']).toContain('rel="next"');
  });

  it('recovers no longer a window than 14 days', async () => {
    const { id } = await hook();
    const since = new Date(Date.now() - 15 * 86_400_000).toISOString();
    const answer = await send('post', `/${id}/recover`, { since });
    expect([answer.status, answer.body.errors[0].field]).toEqual([422, 'since']);
  });

  it('tells of deliveries from GitHub that failed, but not of those that anybody can send', async () => {
    await hook({ events: ['webhook.delivery_failed'] });
    const inbound = await makeWebhook(service, work.key, { org_id: work.org.id, team_id: work.team.id });
    await deliver(service, inbound, 'issues', '{"not json', {}).expect(400);
    await deliver(service, { ...inbound, secret: 'wrong' }, 'issues', '{}').expect(401);
    await deliver(service, inbound, 'issues', '[]').expect(422);
    await arrived(2);
    expect(receiver.received.map(({ json }) => json)).toMatchObject([
      { event: 'webhook.delivery_failed', task_id: null, team_id: work.team.id },
      { event: 'webhook.delivery_failed', data: { direction: 'inbound', webhook_id: inbound.id } },
    ]);
    expect(receiver.received.map(({ json }) => json.data.error)).toEqual([
      'invalid_json',
      'unexpected_shape',
    ]);
  });

  it('forgets the deliveries of a webhook that was deleted', async () => {
    const { id } = await hook({ events: ['task.created'] });
    await makeTask();
    await arrived(1);
    await call('delete', `/${id}`);
    await until(async () => {
      const [row] = await service.db.query(
        'SELECT count(*)::int AS rows FROM outbound_deliveries WHERE webhook_id = $1',
        [id],
      );
      return row.rows === 0;
    }, 'its deliveries to be swept away');
  });
});
