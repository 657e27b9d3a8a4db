import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import supertest from 'supertest';
import { type DataSource } from 'typeorm';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

const POOL = 4;
const MAX_WAITING = 20;
const SENDERS = 80;

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

describe('a database that is slower than what comes in', () => {
  let database: TestDatabase;
  let db: DataSource;
  let child: ChildService;
  let service: TestService;
  let org_id: string;
  let key: string;
  let hook: TestWebhook;

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_ROLES: 'api',
      ENTOURAGE_LOG_LEVEL: 'error',
      ENTOURAGE_RATE_LIMIT_PER_MINUTE: '0',
      ENTOURAGE_DB_POOL_SIZE: String(POOL),
      ENTOURAGE_MAX_WAITING_DELIVERIES: String(MAX_WAITING),
    });
    const url = await child.ready();
    service = { db, url, http: supertest(url) } as TestService;
    const { org, team, key: made } = await makeWorkspace(db);
    org_id = org.id;
    key = made;
    hook = await makeWebhook(service, key, { org_id, team_id: team.id });
    await deliver(service, hook, 'issues', issueOpened()).expect(200);
  });
  afterAll(async () => {
    child.signal('SIGKILL');
    await child.exited;
    await db.destroy();
    await database.drop();
  });
  afterEach(() => expect(child.said).not.toMatch(/uncaught|unhandled/));

  const teams = () => service.http.get(`/api/v1/orgs/${org_id}/teams`).set('X-API-Key', key);
  const stored = async (guids: string[]): Promise<{ guid: string; count: number }[]> =>
    db.query(
      `SELECT guid, count(*)::int AS count FROM deliveries WHERE guid = ANY($1) AND status = 'processed' GROUP BY guid`,
      [guids],
    );

  it('and holds every connection of the pool: who waits is answered 503, and nothing is lost', async () => {
    const payload = issueOpened();
    const guid = { 'X-GitHub-Delivery': randomUUID() };
    const holding = await db.transaction(async (manager) => {
      await manager.query('LOCK TABLE teams IN ACCESS EXCLUSIVE MODE');
      const first = Array.from({ length: POOL }, () => Promise.resolve(teams()));
      await until(async () => {
        const [row] = await db.query(
          `SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted AND relation = 'teams'::regclass`,
        );
        return row.count === POOL;
      }, 'requests to hold the whole pool');
      const [late, received] = await Promise.all([
        Promise.all(Array.from({ length: 8 }, () => teams())),
        Promise.all(Array.from({ length: 8 }, () => deliver(service, hook, 'issues', payload, guid))),
      ]);
      for (const answer of [...late, ...received]) {
        expect([answer.status, answer.body.code]).toEqual([503, 'service_unavailable']);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      await until(async () => {
        const { status, body } = await service.http.get('/api/v1/health/ready');
        return status === 503 && String(body.detail).includes('the database');
      }, 'readiness to name the database');
      await until(
        async () => (await service.http.get('/api/v1/health')).body.status === 'degraded',
        'health to be degraded',
      );
      return first;
    });
    for (const answer of await Promise.all(holding)) expect(answer.status).toBe(200);
    await until(
      async () => (await service.http.get('/api/v1/health/ready')).status === 200,
      'the service to be ready',
    );
    await teams().expect(200);
    await until(
      async () => (await deliver(service, hook, 'issues', payload, guid)).status === 200,
      'the delivery to be taken when it is sent again',
    );
    expect(await stored([guid['X-GitHub-Delivery']])).toEqual([
      { guid: guid['X-GitHub-Delivery'], count: 1 },
    ]);
  });

  it('past capacity is answered 503 at once, and recovers', async () => {
    const waited: number[] = [];
    const turnedAway: number[] = [];
    const acknowledged = new Set<string>();
    const refused = new Map<string, object>();
    const over = new AbortController();
    const sender = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const guid = randomUUID();
        const payload = issueOpened();
        const began = performance.now();
        const { status, headers } = await deliver(service, hook, 'issues', payload, {
          'X-GitHub-Delivery': guid,
        });
        const took = performance.now() - began;
        if (status === 200) {
          acknowledged.add(guid);
          continue;
        }
        expect([status, Number(headers['retry-after']) > 0]).toEqual([503, true]);
        refused.set(guid, payload);
        // Nobody who had a place is told sooner than the database's time is up.
        (took > 1_000 ? waited : turnedAway).push(took);
        await delay(200);
      }
    };
    const senders: Promise<void>[] = [];
    await db.transaction(async (manager) => {
      await manager.query('LOCK TABLE delivery_keys IN ACCESS EXCLUSIVE MODE');
      senders.push(...Array.from({ length: SENDERS }, sender));
      await until(
        () => waited.length >= SENDERS && turnedAway.length >= 200,
        'deliveries beyond what may wait',
        60_000,
      );
    });
    await until(() => acknowledged.size >= 100, 'deliveries to be acknowledged again', 30_000);
    over.abort();
    await Promise.all(senders);
    expect(median(turnedAway)).toBeLessThan(median(waited) / 3);
    expect(await stored([...acknowledged])).toHaveLength(acknowledged.size);
    const again = [...refused].slice(0, 20);
    for (const [guid, payload] of again)
      await deliver(service, hook, 'issues', payload, { 'X-GitHub-Delivery': guid }).expect(200);
    expect(await stored(again.map(([guid]) => guid))).toEqual(
      expect.arrayContaining(again.map(([guid]) => ({ guid, count: 1 }))),
    );
    await until(
      async () => (await service.http.get('/api/v1/health/ready')).status === 200,
      'the service to be ready',
    );
  });
});
