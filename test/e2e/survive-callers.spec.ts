import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import supertest from 'supertest';
import { type DataSource } from 'typeorm';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { rawClient, type RawClient } from '../support/raw-client.js';
import { TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

/** What all of them were answered. One who was still sending may miss it: the connection is cut with the answer. */
function statusOf(clients: RawClient[]): string {
  const statuses = new Set(clients.map((client) => /^HTTP\/1.1 (\d+)/.exec(client.answer())?.[1]));
  statuses.delete(undefined);
  return [...statuses].join();
}

/** Well below what Node allows by itself, and above what the bounds under test come to on a busy machine. */
const PATIENCE_MS = 20_000;

const LIVE = 'GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n';

describe('callers who mean no good', () => {
  let database: TestDatabase;
  let db: DataSource;
  let hook: TestWebhook;
  let child: ChildService;
  let service: TestService;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
  });
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    child.signal('SIGKILL');
    await child.exited;
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  const start = async (env: Record<string, string>): Promise<void> => {
    child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_ROLES: 'api',
      ENTOURAGE_LOG_LEVEL: 'warn',
      ...env,
    });
    const url = await child.ready();
    service = { db, url, http: supertest(url) } as TestService;
    const { org, team, key } = await makeWorkspace(db);
    hook = await makeWebhook(service, key, { org_id: org.id, team_id: team.id });
  };
  const connected = (from?: string): RawClient => {
    const client = rawClient(service.url, from);
    clients.push(client);
    return client;
  };
  const post = (path: string, length: number): string =>
    `POST /api/v1${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
  const peakMebibytes = (): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;

  it('are ended when their requests come byte by byte, and keep nobody else waiting', async () => {
    await start({ ENTOURAGE_REQUEST_SECONDS: '2' });
    for (let n = 0; n < 100; n += 1) {
      connected().dribble('GET /api/v1/health HTTP/1.1\r\n', 100);
      for (const path of [`/webhooks/${hook.id}/receive`, '/auth/login']) {
        const client = connected();
        client.socket.write(post(path, 1_000_000));
        client.dribble(' ', 100);
      }
    }
    const statuses: number[] = [];
    const ended = Promise.all(clients.map(({ closed }) => closed)).then(() => true);
    while (clients.some((client) => !client.isClosed()) && statuses.length < 2_000) {
      const { status } = await deliver(service, hook, 'issues', issueOpened());
      statuses.push(status);
    }
    await until(() => ended, 'every slow connection to be ended', PATIENCE_MS);
    expect(statuses.length).toBeGreaterThan(0);
    expect(new Set(statuses)).toEqual(new Set([200]));
    const kinds = [0, 1, 2].map((kind) => clients.filter((_, n) => n % 3 === kind));
    expect(kinds.map(statusOf)).toEqual(['408', '408', '408']);
    expect(child.said).not.toMatch(/uncaught|unhandled/);
  });

  it('get 431 for too many or too large headers, at no cost of memory', async () => {
    await start({});
    await deliver(service, hook, 'issues', issueOpened()).expect(200);
    const before = peakMebibytes();
    const floods = {
      large: `X-Large: ${'x'.repeat(17_000)}\r\n`,
      many: Array.from({ length: 2_000 }, (_, n) => `X-${n}: many\r\n`).join(''),
    };
    for (const flood of Object.values(floods))
      for (let n = 0; n < 50; n += 1)
        connected().socket.write(`GET /api/v1/health HTTP/1.1\r\nHost: x\r\n${flood}`);
    const refused = [...clients];
    // These never stop by themselves.
    for (let n = 0; n < 50; n += 1) {
      const client = connected();
      client.socket.write('GET /api/v1/health HTTP/1.1\r\nHost: x\r\n');
      const more = (): void => {
        while (!client.isClosed() && client.socket.write(floods.many));
      };
      client.socket.on('drain', more);
      more();
    }
    await until(() => clients.every((client) => client.isClosed()), 'every flood to be cut off', PATIENCE_MS);
    expect([statusOf(refused.slice(0, 50)), statusOf(refused.slice(50))]).toEqual(['431', '431']);
    expect(peakMebibytes() - before).toBeLessThan(150);
    await deliver(service, hook, 'issues', issueOpened()).expect(200);
  });

  const isServed = async (client: RawClient): Promise<boolean> => {
    client.socket.write(LIVE);
    await until(() => client.answer() !== '' || client.isClosed(), 'an answer, or the end', PATIENCE_MS);
    return client.answer().startsWith('HTTP/1.1 200 ');
  };

  // Only Linux has more than one address by itself.
  (process.platform === 'linux' ? it : it.skip)('cannot take the places of other addresses', async () => {
    await start({ ENTOURAGE_MAX_CONNECTIONS_PER_ADDRESS: '5' });
    const from = (address: string, count: number): Promise<boolean[]> =>
      Promise.all(Array.from({ length: count }, () => isServed(connected(address))));
    expect((await from('127.0.0.2', 8)).filter(Boolean)).toHaveLength(5);
    expect(await from('127.0.0.3', 5)).not.toContain(false);
    expect(await isServed(connected('127.0.0.2'))).toBe(false);
    clients.find((client) => !client.isClosed())?.socket.destroy();
    await until(() => isServed(connected('127.0.0.2')), 'the place of a connection that has ended');
    expect(await isServed(connected('127.0.0.2'))).toBe(false);
  });

  it('cannot use up what is given to a trusted proxy', async () => {
    await start({ ENTOURAGE_MAX_CONNECTIONS_PER_ADDRESS: '5', ENTOURAGE_TRUSTED_PROXIES: '127.0.0.0/8' });
    const served = await Promise.all(Array.from({ length: 12 }, () => isServed(connected())));
    expect(served).not.toContain(false);
  });

  it('cannot hold more connections than there may be, and who is there is served', async () => {
    await start({ ENTOURAGE_MAX_CONNECTIONS: '20' });
    // Every earlier connection has ended, or one of these would be the one too many.
    await until(async () => {
      for (const { socket } of clients.splice(0)) socket.destroy();
      for (let n = 0; n < 20; n += 1) connected();
      await Promise.all(clients.map((client) => new Promise((done) => client.socket.once('ready', done))));
      const first = clients[0]!;
      first.socket.write(LIVE);
      await until(() => first.answer() !== '' || first.isClosed(), 'an answer to the first of them');
      return clients.every((client) => !client.isClosed());
    }, 'as many connections as there may be');
    const oneMore = connected();
    oneMore.socket.write(LIVE);
    await until(() => oneMore.isClosed(), 'the one too many to be closed', 5_000);
    expect(oneMore.answer()).toBe('');
    expect(clients[0]!.answer()).toMatch(/^HTTP\/1.1 200 /);
    for (const { socket } of clients) socket.destroy();
    await until(
      () =>
        deliver(service, hook, 'issues', issueOpened()).then(
          ({ status }) => status === 200,
          () => false,
        ),
      'a delivery to be taken again',
    );
  });
});
