import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server, type Socket } from 'node:net';
import { type AddressInfo } from 'node:net';
import { OutboundHttp } from '../../src/http-client/outbound-http.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeOutboundWebhook } from '../factories/outbound.js';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

type Json = ReturnType<typeof JSON.parse>;

describe('notifications: receivers that misbehave', () => {
  let service: TestService;
  let receiver: Receiver;
  let work: Awaited<ReturnType<typeof makeWorkspace>>;
  beforeAll(async () => {
    service = await startTestService({
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'],
      ENTOURAGE_POLL_SECONDS: 0.1,
      ENTOURAGE_NOTIFY_LEASE_SECONDS: 3,
    });
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    receiver = await startReceiver();
    work = await makeWorkspace(service.db);
  });
  afterEach(() => receiver.close());

  const hook = (values: Record<string, unknown> = {}) =>
    makeOutboundWebhook(service, work.key, {
      org_id: work.org.id,
      url: receiver.url,
      events: ['task.created'],
      rate_per_second: 1000,
      ...values,
    });
  const call = async (method: 'get' | 'post' | 'patch', path: string, body?: object): Promise<Json> => {
    const answer = await service.http[method](`/api/v1${path}`).set('X-API-Key', work.key).send(body);
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.text}`);
    return answer.body;
  };
  const makeTask = () => call('post', `/teams/${work.team.id}/tasks`, { title: 'Fix the login' });
  const arrived = (count: number): Promise<ReceivedRequest[]> =>
    until(() => receiver.received.length >= count && receiver.received, `${count} notifications`);
  /** The webhook's latest delivery, once it is as wanted. */
  const delivery = (id: string, wanted: (one: Json) => boolean): Promise<Json> =>
    until(async () => {
      const [one] = await call('get', `/outbound-webhooks/${id}/deliveries`);
      return one !== undefined && wanted(one) && call('get', `/outbound-webhooks/${id}/deliveries/${one.id}`);
    }, 'the delivery');
  const ended = (id: string) => delivery(id, (one) => one.finished_at !== null);
  const tried = (id: string) => delivery(id, (one) => one.error !== null && one.status === 'pending');
  const secondsLeft = (one: Json): number => (Date.parse(one.next_attempt_at) - Date.now()) / 1000;
  /** What waits is due now: nobody waits for the schedule. */
  const hurry = () =>
    service.db.query(`UPDATE outbound_deliveries SET due_at = now() WHERE status = 'pending'`);

  it('tries again on the schedule, with the same id and bytes, until it is taken', async () => {
    const { id } = await hook();
    receiver.answer((_, response) => response.writeHead(503).end('not now'));
    await makeTask();
    const waiting = await tried(id);
    expect(waiting).toMatchObject({ attempts: 1, response_status: 503, error: 'http_503' });
    expect(secondsLeft(waiting)).toBeGreaterThan(3);
    expect(secondsLeft(waiting)).toBeLessThan(6.1);
    receiver.answer(200);
    await hurry();
    const taken = await ended(id);
    expect(taken).toMatchObject({ status: 'succeeded', attempts: 2, error: null });
    expect(taken.attempt_log).toMatchObject([
      { attempt: 1, outcome: 'failed', response_status: 503, response_body: 'not now', error: 'http_503' },
      { attempt: 2, outcome: 'succeeded', response_status: 200, error: null, retry_at: null },
    ]);
    const [first, second] = receiver.received as [ReceivedRequest, ReceivedRequest];
    expect(second.body).toBe(first.body);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect([first, second].map(({ headers }) => headers['x-entourage-attempt'])).toEqual(['1', '2']);
  });

  it('gives up after eleven attempts, and tells the other receivers', async () => {
    const { id } = await hook();
    const other = await startReceiver();
    try {
      await hook({ url: other.url, events: ['webhook.delivery_failed'] });
      receiver.answer(500);
      await makeTask();
      await tried(id);
      await service.db.query(`UPDATE outbound_deliveries SET failures = 10 WHERE webhook_id = $1`, [id]);
      await hurry();
      expect(await ended(id)).toMatchObject({ status: 'failed', error: 'http_500', next_attempt_at: null });
      await until(() => other.received.length > 0, 'the other receiver to hear of it');
      expect(other.received[0]!.json).toMatchObject({
        event: 'webhook.delivery_failed',
        task_id: expect.any(Number),
        data: { direction: 'outbound', webhook_id: id, event: 'task.created', error: 'http_500' },
      });
    } finally {
      await other.close();
    }
  });

  it('waits as long as 429 asks for', async () => {
    const { id } = await hook();
    receiver.answer((_, response) => response.writeHead(429, { 'retry-after': '120' }).end());
    await makeTask();
    expect(Math.round(secondsLeft(await tried(id)) / 10)).toBe(12);
  });

  it('410 disables the webhook; its events are kept and can be recovered', async () => {
    const { id } = await hook();
    receiver.answer(410);
    await makeTask();
    expect(await ended(id)).toMatchObject({ status: 'failed', error: 'http_410', attempts: 1 });
    expect(await call('get', `/outbound-webhooks/${id}`)).toMatchObject({
      active: false,
      disabled_reason: 'gone',
      health: { status: 'disabled' },
    });
    receiver.answer(200);
    const task = await makeTask();
    const kept = await delivery(id, (one) => one.status === 'suppressed');
    expect(kept).toMatchObject({ task_id: task.id, attempts: 0, error: 'webhook_disabled' });
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const refused = await service.http
      .post(`/api/v1/outbound-webhooks/${id}/recover`)
      .set('X-API-Key', work.key)
      .send({ since });
    expect([refused.status, refused.body.code]).toEqual([409, 'outbound_webhook_disabled']);
    await call('patch', `/outbound-webhooks/${id}`, { active: true });
    expect(await call('post', `/outbound-webhooks/${id}/recover`, { since, status: ['suppressed'] })).toEqual(
      {
        recovered: 1,
        more: false,
      },
    );
    await arrived(2);
    expect(receiver.received[1]!.json.task_id).toBe(task.id);
    expect(await call('post', `/outbound-webhooks/${id}/recover`, { since })).toEqual({
      recovered: 1,
      more: false,
    });
    await arrived(3);
  });

  it('follows no redirect, least of all to a private address, and keeps the key to itself', async () => {
    const { id } = await hook({ api_key: 'only-for-the-receiver' });
    const elsewhere = await startReceiver();
    try {
      receiver.answer((_, response) => response.writeHead(307, { location: elsewhere.url }).end());
      await makeTask();
      expect(await tried(id)).toMatchObject({ error: 'http_307', response_status: 307 });
      receiver.answer((_, response) =>
        response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
      );
      await hurry();
      expect(await delivery(id, (one) => one.error === 'http_302')).toBeDefined();
      expect(elsewhere.received).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('counts a 2xx as taken though the connection breaks after it, and sends it once', async () => {
    const { id } = await hook();
    receiver.answer((request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('par');
      setTimeout(() => request.socket.resetAndDestroy(), 20);
    });
    await makeTask();
    const taken = await ended(id);
    expect(taken).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(taken.attempt_log).toMatchObject([{ response_body: 'par', response_truncated: true }]);
    expect(receiver.received.length).toBe(1);
  });

  it('reads 16 KiB of an endless answer, and no NUL', async () => {
    const { id } = await hook();
    receiver.answer((_, response) => {
      response.writeHead(200, { 'content-length': '999999999' });
      const more = setInterval(() => response.write(`\0${'x'.repeat(8191)}`), 1);
      response.on('close', () => clearInterval(more));
    });
    await makeTask();
    const { attempt_log } = await ended(id);
    expect(attempt_log[0].response_truncated).toBe(true);
    expect(attempt_log[0].response_body).toMatch(/^x{16000,16384}$/);
  });

  it('takes an answer whose length is a lie for what its status says', async () => {
    const liar = await startRaw((socket) =>
      socket.end(
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nmuch more than five bytes',
      ),
    );
    try {
      const { id } = await hook({ url: liar.url });
      await makeTask();
      expect(await ended(id)).toMatchObject({ status: 'succeeded' });
    } finally {
      await liar.close();
    }
  });

  it('tells a receiver that speaks no HTTP, one that hangs up, and one that is not there', async () => {
    const nonsense = await startRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    const rude = await startRaw((socket) => socket.resetAndDestroy());
    const absent = await startRaw(() => undefined);
    await absent.close();
    try {
      const errors: string[] = [];
      for (const { url } of [nonsense, rude, absent]) {
        const { id } = await hook({ url });
        await makeTask();
        errors.push((await tried(id)).error);
      }
      expect(errors).toEqual(['protocol', 'reset', 'connect']);
    } finally {
      await nonsense.close();
      await rude.close();
    }
  });

  it('a slow receiver costs the others nothing, and is called no more at once than it bears', async () => {
    const slow = await startReceiver();
    try {
      slow.answer(() => undefined);
      const { id } = await hook({ url: slow.url, max_concurrency: 2 });
      await hook();
      for (let count = 0; count < 10; count += 1) await makeTask();
      await arrived(10);
      expect(slow.peak).toBe(2);
      // Its time is over after 80 % of the lease, which is 3 s here.
      await until(
        async () => (await call('get', `/outbound-webhooks/${id}`)).health.last_error === 'timeout',
        'the slow receiver to time out',
      );
      expect(slow.peak).toBe(2);
    } finally {
      await slow.close();
    }
  });

  it('pauses a dead receiver after five failed connections, keeping what waits, and probes it later', async () => {
    const { id } = await hook({ max_concurrency: 1 });
    receiver.answer((request) => request.socket.resetAndDestroy());
    for (let count = 0; count < 8; count += 1) await makeTask();
    const health = async () => (await call('get', `/outbound-webhooks/${id}`)).health;
    await until(async () => (await health()).status === 'paused', 'the pause');
    const rows = () =>
      service.db.query(
        `SELECT sum(attempts)::int AS attempts, count(*) FILTER (WHERE attempts = 0)::int AS untried
         FROM outbound_deliveries WHERE webhook_id = $1 AND finished_at IS NULL`,
        [id],
      );
    const paused = await rows();
    expect(paused).toEqual([{ attempts: 5, untried: 3 }]);
    receiver.answer(200);
    await hurry();
    await service.db.query(
      `UPDATE outbound_webhook_states SET open_until = now() + interval '1 second' WHERE webhook_id = $1`,
      [id],
    );
    expect(await rows()).toEqual(paused);
    await until(async () => (await rows())[0].attempts === null, 'everything to be taken');
    expect(await health()).toMatchObject({ status: 'ok', failing_since: null, paused_until: null });
  });

  it('does not call an address that a name was given after it was checked', async () => {
    const http = service.app.get(OutboundHttp);
    const { port } = new URL(receiver.url);
    let address = '127.0.0.1';
    http.withResolver((_hostname, _options, answer) => answer(null, [{ address, family: 4 }]));
    const { id } = await hook({ url: `http://rebinding.example:${port}/` });
    await makeTask();
    await arrived(1);
    // Not through the connection that was kept: that one is to the address which was judged.
    receiver.answer((request, response) => {
      response.writeHead(500, { connection: 'close' }).end();
      request.socket.end();
    });
    address = '10.0.0.1';
    await makeTask();
    await until(() => receiver.received.length === 2, 'the connection to be closed');
    await tried(id);
    await hurry();
    expect(await delivery(id, (one) => one.error === 'address_refused')).toMatchObject({ attempts: 2 });
    expect(receiver.received.length).toBe(2);
  });

  it('keeps the order of each task over two notifiers and a receiver that fails now and then', async () => {
    const second = await startTestService({
      DATABASE_URL: service.settings.DATABASE_URL,
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'],
      ENTOURAGE_POLL_SECONDS: 0.1,
    });
    // Passing over what a notifier has locked: the two would lock rows in different orders.
    const hurrying = setInterval(
      () =>
        void service.db.query(
          `UPDATE outbound_deliveries SET due_at = now()
           WHERE id IN (SELECT id FROM outbound_deliveries WHERE status = 'pending' FOR NO KEY UPDATE SKIP LOCKED)`,
        ),
      50,
    );
    try {
      const taken = new Map<number, number[]>();
      let refused = 0;
      receiver.answer((_, response, { headers, json }) => {
        // Every third is refused once, and answers take their time, so that others overtake them if they can.
        const refuse = headers['x-entourage-attempt'] === '1' && json.sequence % 3 === 0;
        if (refuse) refused += 1;
        else taken.set(json.task_id, [...(taken.get(json.task_id) ?? []), json.sequence]);
        setTimeout(() => response.writeHead(refuse ? 503 : 200).end(), (json.sequence * 7) % 20);
      });
      // Too many refusals in a row would pause it, which is not the question here.
      await hook({ events: ['*'], max_concurrency: 20 });
      const tasks = await Promise.all(Array.from({ length: 12 }, makeTask));
      await Promise.all(
        tasks.map(async ({ id }) => {
          for (const status of ['in_progress', 'in_review', 'in_approval', 'merging', 'done'])
            await call('post', `/tasks/${id}/status`, { status });
        }),
      );
      await until(
        () => [...taken.values()].filter(({ length }) => length === 9).length === 12,
        'all of them to be taken',
        25_000,
      );
      expect(refused).toBe(36);
      for (const sequences of taken.values()) expect(sequences).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    } finally {
      clearInterval(hurrying);
      await second.close();
    }
  }, 60_000);

  it('lets the next one of a task go once the one before it has long to wait, and loses neither', async () => {
    const { id } = await hook({ events: ['task.created', 'task.cancelled'] });
    receiver.answer((_, response, { json }) =>
      response.writeHead(json.event === 'task.created' ? 500 : 200).end(),
    );
    const task = await makeTask();
    await tried(id);
    await call('post', `/tasks/${task.id}/status`, { status: 'cancelled' });
    await until(async () => {
      const [latest] = await call('get', `/outbound-webhooks/${id}/deliveries`);
      return latest.status === 'queued';
    }, 'the second to wait for the first');
    await service.db.query(
      `UPDATE outbound_deliveries SET failures = 5, due_at = now() WHERE webhook_id = $1 AND status = 'pending'`,
      [id],
    );
    await until(
      () => receiver.received.length === 3,
      'the first to fail once more, the second to overtake it',
    );
    receiver.answer(200);
    await hurry();
    await until(() => receiver.received.length === 4, 'the first to arrive late');
    expect(receiver.received.map(({ json }) => [json.event, json.sequence])).toEqual([
      ['task.created', 1],
      ['task.created', 1],
      ['task.cancelled', 3],
      ['task.created', 1],
    ]);
  });
});

/** A TCP server that says what it likes. */
async function startRaw(speak: (socket: Socket) => void): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.once('data', () => speak(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
