import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { ResolvedSettings } from '../../src/config/settings.js';
import { NotificationListener } from '../../src/database/notification-listener.js';
import { asAdmin, createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const FAST = { ping_ms: 100, deadline_ms: 400, backoff_ms: 10, max_backoff_ms: 50 };

describe('NotificationListener', () => {
  let database: TestDatabase;
  let listener: NotificationListener;
  let heard: string[];
  let fetches: number;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    database = await createTestDatabase();
  });
  afterEach(() => listener.stop());
  afterAll(() => database.drop());

  const listen = (url: string): void => {
    heard = [];
    fetches = 0;
    listener = new NotificationListener(
      Object.assign(new ResolvedSettings(), {
        DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
        DATABASE_DIRECT_URL: url,
      }),
    ).withTiming(FAST);
    listener.subscribe('news', {
      notified: (payload) => heard.push(payload),
      connected: () => (fetches += 1),
    });
    listener.start();
    listener.start();
  };

  const notify = async (payload: string): Promise<void> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('SELECT pg_notify($1, $2)', ['news', payload]);
    await client.end();
  };

  const backends = async (): Promise<number> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int n FROM pg_stat_activity WHERE application_name = 'entourage-listen' AND datname = $1`,
      [database.name],
    );
    await client.end();
    return rows[0]?.n ?? 0;
  };

  const killBackend = (): Promise<void> =>
    asAdmin(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'entourage-listen' AND datname = $1`,
      [database.name],
    );

  it('hears notifications over one connection, and fetches once it listens', async () => {
    listen(database.url);
    await until(() => fetches === 1, 'the first fetch');
    await notify('a');
    await until(() => heard.includes('a'), 'the notification');
    expect(await backends()).toBe(1);
    expect(listener.health).toMatchObject({ connected: true, reconnects: 0 });
  });

  it('takes subscriptions while it is connected', async () => {
    listen(database.url);
    await until(() => fetches === 1, 'the first fetch');
    const late: string[] = [];
    const ready = new Promise<void>((done) => {
      listener.subscribe('other', { notified: (payload) => late.push(payload), connected: done });
    });
    await ready;
    await asNotify(database.url, 'other', 'x');
    await until(() => late.includes('x'), 'the notification on the late channel');
    expect(heard).toEqual([]);
  });

  it('connects again and fetches when its backend is killed', async () => {
    listen(database.url);
    await until(() => fetches === 1, 'the first fetch');
    await killBackend();
    await until(() => fetches === 2, 'the fetch after the reconnect');
    expect(listener.health).toMatchObject({ connected: true, reconnects: 1 });
    await notify('after');
    await until(() => heard.includes('after'), 'a notification on the new connection');
  });

  it('notices a half-open socket, on which nothing ever fails by itself', async () => {
    const { hostname, port } = new URL(database.url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    try {
      const url = new URL(database.url);
      url.port = String(proxy.port);
      listen(url.href);
      await until(() => fetches === 1, 'the first fetch');
      proxy.freeze();
      await notify('lost');
      await until(() => fetches === 2, 'the fetch after the silent death');
      expect(heard).toEqual([]);
      await notify('found');
      await until(() => heard.includes('found'), 'a notification on the new connection');
      expect(proxy.accepted()).toBe(2);
    } finally {
      listener.stop();
      await proxy.close();
    }
  });

  it('keeps trying while the server cannot be reached', async () => {
    const { hostname, port } = new URL(database.url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    const url = new URL(database.url);
    url.port = String(proxy.port);
    await proxy.close();
    listen(url.href);
    expect(listener.health.connected).toBe(false);
    await new Promise((done) => setTimeout(done, 150));
    expect(listener.health.connected).toBe(false);
  });

  it('stops, gives its connection back and starts again', async () => {
    listen(database.url);
    await until(() => fetches === 1, 'the first fetch');
    listener.stop();
    listener.stop();
    await until(async () => (await backends()) === 0, 'the connection to be closed');
    expect(listener.health.connected).toBe(false);
    listener.start();
    await until(() => fetches === 2, 'the fetch after the restart');
  });

  it('survives a subscriber that throws', async () => {
    listen(database.url);
    listener.subscribe('news', {
      notified: () => {
        throw new Error('broken subscriber');
      },
    });
    await until(() => fetches === 1, 'the first fetch');
    await notify('one');
    await notify('two');
    await until(() => heard.length === 2, 'both notifications');
  });
});

async function asNotify(url: string, channel: string, payload: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SELECT pg_notify($1, $2)', [channel, payload]);
  await client.end();
}
