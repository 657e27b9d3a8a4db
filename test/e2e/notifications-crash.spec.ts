import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import supertest from 'supertest';
import { type DataSource } from 'typeorm';
import { makeWorkspace } from '../factories/accounts.js';
import { makeOutboundWebhook } from '../factories/outbound.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('notifications: processes that die, and many of them', () => {
  let database: TestDatabase;
  let db: DataSource;
  const children: ChildService[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
  });
  afterAll(async () => {
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
    await db.destroy();
    await database.drop();
  });

  const start = async (roles: string, env: Record<string, string> = {}) => {
    const child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: '127.0.0.0/8',
      ENTOURAGE_NOTIFY_LEASE_SECONDS: '2',
      ENTOURAGE_POLL_SECONDS: '0.3',
      ENTOURAGE_RATE_LIMIT_PER_MINUTE: '0',
      ENTOURAGE_LOG_LEVEL: 'warn',
      ENTOURAGE_ROLES: roles,
      ...env,
    });
    children.push(child);
    const url = await child.ready();
    return { child, service: { url, http: supertest(url) } as TestService };
  };
  const kill = async (child: ChildService): Promise<void> => {
    child.signal('SIGKILL');
    await child.exited;
  };
  const setUp = async (service: TestService, receiver: Receiver, values: object = {}) => {
    const { org, team, key } = await makeWorkspace(db);
    const hook = await makeOutboundWebhook(service, key, {
      org_id: org.id,
      url: receiver.url,
      events: ['task.created'],
      max_concurrency: 20,
      rate_per_second: 10_000,
      ...values,
    });
    const makeTask = async (): Promise<number> => {
      const answer = await service.http
        .post(`/api/v1/teams/${team.id}/tasks`)
        .set('X-API-Key', key)
        .send({ title: 'Fix the login' })
        .expect(201);
      return answer.body.id;
    };
    return { hook, makeTask };
  };
  const statuses = (webhook_id: string) =>
    db.query<{ status: string; count: number }[]>(
      'SELECT status, count(*)::int AS count FROM outbound_deliveries WHERE webhook_id = $1 GROUP BY status',
      [webhook_id],
    );
  const allTaken = (webhook_id: string, count: number): Promise<unknown> =>
    until(
      async () => {
        const rows = await statuses(webhook_id);
        return rows.length === 1 && rows[0]!.status === 'succeeded' && rows[0]!.count === count;
      },
      `${count} deliveries to be taken`,
      40_000,
    );

  it('killed between the commit and the sending: the next notifier sends it', async () => {
    const receiver = await startReceiver();
    const api = await start('api');
    const { hook, makeTask } = await setUp(api.service, receiver);
    await makeTask();
    await kill(api.child);
    expect(receiver.received.length).toBe(0);
    const notifier = await start('notifier');
    await allTaken(hook.id, 1);
    expect(receiver.received.length).toBe(1);
    await kill(notifier.child);
    await receiver.close();
  }, 90_000);

  it('killed while it sends, and between the sending and the recording: sent again under the same id', async () => {
    const receiver = await startReceiver();
    const api = await start('api');
    const { hook, makeTask } = await setUp(api.service, receiver);
    // It is sent and answered, but the record of it waits for this lock.
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    receiver.answer((_, response) => {
      void holder
        .query('BEGIN')
        .then(() => holder.query('LOCK TABLE outbound_attempts IN EXCLUSIVE MODE'))
        .then(() => response.writeHead(200).end());
    });
    const first = await start('notifier');
    await makeTask();
    await until(() => receiver.received.length === 1, 'it to be sent');
    await until(async () => {
      const [row] = await db.query(
        `SELECT count(*)::int AS waiting FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%outbound_attempts%'`,
      );
      return row.waiting > 0;
    }, 'the record to be under way');
    await kill(first.child);
    receiver.answer(200);
    await holder.end();
    const second = await start('notifier');
    await allTaken(hook.id, 1);
    // And while it sends: the answer never comes.
    receiver.answer(() => undefined);
    await makeTask();
    await until(() => receiver.received.length === 3, 'the next to be sent');
    await kill(second.child);
    receiver.answer(200);
    const third = await start('notifier');
    await allTaken(hook.id, 2);
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect([ids.length, new Set(ids).size]).toEqual([4, 2]);
    const attempts = await db.query(
      `SELECT a.outcome FROM outbound_attempts a JOIN outbound_deliveries d ON d.position = a.delivery_position
       WHERE d.webhook_id = $1 ORDER BY d.position, a.attempt`,
      [hook.id],
    );
    expect(attempts.map((row: { outcome: string }) => row.outcome)).toEqual([
      'lost',
      'succeeded',
      'lost',
      'succeeded',
    ]);
    await kill(third.child);
    await kill(api.child);
    await receiver.close();
  }, 120_000);

  it('many notifiers share the work; with one killed in the middle every notification arrives', async () => {
    const receiver = await startReceiver();
    receiver.answer((_, response) => setTimeout(() => response.writeHead(200).end(), 10));
    const api = await start('api');
    const { hook, makeTask } = await setUp(api.service, receiver, { max_concurrency: 6 });
    const notifiers = await Promise.all([start('notifier'), start('notifier'), start('notifier')]);
    const tasks: number[] = [];
    const work = Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let count = 0; count < 75; count += 1) tasks.push(await makeTask());
      }),
    );
    await until(() => receiver.received.length > 60, 'the work to be under way', 30_000);
    await kill(notifiers[0].child);
    await work;
    await allTaken(hook.id, 300);
    expect(new Set(receiver.received.map(({ json }) => json.task_id))).toEqual(new Set(tasks));
    // Twice only what the killed one had under way.
    expect(receiver.received.length).toBeLessThanOrEqual(300 + 6);
    // What the killed one had begun may still have been open when its places were given away.
    expect(receiver.peak).toBeLessThanOrEqual(12);
    for (const { child } of notifiers.slice(1)) expect((await child.stop()).code).toBe(0);
    await kill(api.child);
    await receiver.close();
  }, 120_000);

  it('a shutdown lets what is under way end, and gives back what does not', async () => {
    const receiver = await startReceiver();
    const api = await start('api');
    const { hook, makeTask } = await setUp(api.service, receiver);
    const notifier = await start('notifier');
    receiver.answer((_, response) => setTimeout(() => response.writeHead(200).end(), 500));
    await makeTask();
    await until(() => receiver.received.length === 1, 'it to be sent');
    expect((await notifier.child.stop()).code).toBe(0);
    expect(await statuses(hook.id)).toEqual([{ status: 'succeeded', count: 1 }]);
    const impatient = await start('notifier', {
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: '1',
      ENTOURAGE_NOTIFY_LEASE_SECONDS: '600',
    });
    receiver.answer(() => undefined);
    await makeTask();
    await until(() => receiver.received.length === 2, 'the next to be sent');
    expect((await impatient.child.stop()).code).toBe(0);
    receiver.answer(200);
    const next = await start('notifier');
    // At once, not when the lease of ten minutes is over.
    await allTaken(hook.id, 2);
    await kill(next.child);
    await kill(api.child);
    await receiver.close();
  }, 90_000);
});
