import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { DeliveryPartitions, weekStart } from '../../src/modules/deliveries/delivery-partitions.service.js';
import { DeliveryRetention } from '../../src/modules/deliveries/delivery-retention.service.js';
import { TaskIntake } from '../../src/modules/tasks/tasks.facade.js';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestService, type TestService } from '../support/service.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** Two seconds, as measured by a client on a machine that others use too. */
const MOMENT_MS = 2_750;

describe('receiving when things break', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let service: TestService;
  let direct: TestService;
  let hook: TestWebhook;
  beforeAll(async () => {
    database = await createTestDatabase();
    const { hostname, port } = new URL(database.url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    direct = await startTestService({ DATABASE_URL: database.url });
    const url = new URL(database.url);
    url.port = String(proxy.port);
    service = await startTestService({ DATABASE_URL: url.href });
    const { org, team, key } = await makeWorkspace(direct.db);
    hook = await makeWebhook(direct, key, { org_id: org.id, team_id: team.id });
  });
  afterAll(async () => {
    await proxy.close();
    await service.close();
    await direct.close();
    await database.drop();
  });

  const count = async (sql: string, values: unknown[] = []): Promise<number> =>
    (await direct.db.query<{ count: number }[]>(sql, values))[0]?.count ?? -1;

  it.each(['refuse', 'swallow'] as const)('answers 503 within 2 s when the network does %s', async (how) => {
    await deliver(service, hook, 'issues', issueOpened()).expect(200);
    const payload = issueOpened();
    const guid = { 'X-GitHub-Delivery': randomUUID() };
    proxy[how]();
    try {
      const began = Date.now();
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => deliver(service, hook, 'issues', payload, guid)),
      );
      expect(Date.now() - began).toBeLessThan(MOMENT_MS);
      for (const answer of answers) {
        expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('service_unavailable')]);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      const unknown = await deliver(service, { ...hook, id: randomUUID() }, 'issues', payload);
      expect(unknown.status).toBe(503);
    } finally {
      proxy.restore();
    }
    const again = await until(async () => {
      const answer = await deliver(service, hook, 'issues', payload, guid);
      return answer.status === 200 ? answer : null;
    }, 'a delivery to be accepted again');
    expect(again.body.task_id).toEqual(expect.any(Number));
    expect(
      await count('SELECT count(*)::int FROM task_sources WHERE number = $1', [payload.issue.number]),
    ).toBe(1);
  });

  it('lets one delivery that cannot be processed fail alone, and again be sent', async () => {
    const intake = direct.app.get(TaskIntake, { strict: false });
    const apply = intake.apply.bind(intake);
    const poisoned = jest.spyOn(intake, 'apply').mockImplementation((runner, changes) => {
      if (changes.some((change) => change.item.title === 'Poison')) throw new Error('poison');
      return apply(runner, changes);
    });
    const poison = issueOpened({ title: 'Poison' });
    const guid = { 'X-GitHub-Delivery': randomUUID() };
    try {
      const [bad, ...good] = await Promise.all([
        deliver(direct, hook, 'issues', poison, guid),
        ...Array.from({ length: 20 }, () => deliver(direct, hook, 'issues', issueOpened())),
      ]);
      expect(good.map((answer) => answer.status)).toEqual(Array(20).fill(200));
      expect(bad.status).toBe(500);
    } finally {
      poisoned.mockRestore();
    }
    const [row] = await direct.db.query(
      'SELECT id, status, reason, error, attempts FROM deliveries WHERE guid = $1',
      [guid['X-GitHub-Delivery']],
    );
    expect(row).toMatchObject({
      status: 'failed',
      reason: 'processing_failed',
      error: 'poison',
      attempts: 1,
    });
    const again = await deliver(direct, hook, 'issues', poison, guid).expect(200);
    expect(again.body).toMatchObject({ delivery_id: row.id, status: 'processed' });
  });

  it('answers 503 within 2 s when the database hangs, and does everything once afterwards', async () => {
    const payload = issueOpened();
    const guid = { 'X-GitHub-Delivery': randomUUID() };
    await direct.db.transaction(async (manager) => {
      await manager.query('LOCK TABLE delivery_keys IN ACCESS EXCLUSIVE MODE');
      const began = Date.now();
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => deliver(service, hook, 'issues', payload, guid)),
      );
      expect(Date.now() - began).toBeLessThan(MOMENT_MS);
      expect(answers.map((answer) => answer.status)).toEqual(Array(5).fill(503));
    });
    const again = await until(async () => {
      const answer = await deliver(service, hook, 'issues', payload, guid);
      return answer.status === 200 ? answer : null;
    }, 'a delivery to be accepted again');
    expect(again.body.task_id).toEqual(expect.any(Number));
    expect(
      await count('SELECT count(*)::int FROM task_sources WHERE number = $1', [payload.issue.number]),
    ).toBe(1);
    const { text } = await service.http.get('/metrics');
    expect(text).toMatch(/entourage_deliveries_total\{result="unavailable"\} [1-9]/);
  });

  it.each([
    ['issues', issueOpened()],
    ['push', { ref: 'refs/heads/main', commits: [{ id: randomUUID() }] }],
  ])('makes the partition that is missing, for %s', async (event, body) => {
    await direct.db.query(
      'DROP TABLE deliveries_' + weekStart(new Date()).toISOString().slice(0, 10).replaceAll('-', ''),
    );
    await deliver(direct, hook, event, body).expect(200);
  });

  it('drops what is past its retention, and keeps the rest', async () => {
    const partitions = direct.app.get(DeliveryPartitions, { strict: false });
    const retention = direct.app.get(DeliveryRetention, { strict: false });
    const ago = (days: number): Date => new Date(Date.now() - days * 24 * 3600 * 1000);
    await partitions.ensure(ago(110), 16);
    await deliver(direct, hook, 'issues', issueOpened()).expect(200);
    await direct.db.query(
      `INSERT INTO delivery_keys (webhook_id, guid, body_sha256, delivery_id, created_at)
       SELECT webhook_id, 'old', '\\x01', delivery_id, $1 FROM delivery_keys LIMIT 1`,
      [ago(110)],
    );
    const before = await count('SELECT count(*)::int FROM deliveries');
    await retention.dropExpired();
    const names: { relname: string }[] = await direct.db.query(
      `SELECT relname FROM pg_class WHERE relname ~ '^deliveries_[0-9]{8}$' ORDER BY 1`,
    );
    const oldest = weekStart(ago(90)).toISOString().slice(0, 10).replaceAll('-', '');
    expect(names[0]?.relname).toBe(`deliveries_${oldest}`);
    expect(await count('SELECT count(*)::int FROM deliveries')).toBe(before);
    expect(await count(`SELECT count(*)::int FROM delivery_keys WHERE guid = 'old'`)).toBe(0);
    await deliver(direct, hook, 'issues', issueOpened()).expect(200);
  });
});
