import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import supertest from 'supertest';
import { DataSource } from 'typeorm';
import { connectionOptions } from '../../src/database/connection-options.js';
import { ENTITIES } from '../../src/entities.js';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService, postgresPid } from '../support/child-service.js';
import { type TestService } from '../support/service.js';
import { makeSmallDisk } from '../support/small-disk.js';
import { until } from '../support/until.js';

jest.setTimeout(240_000);

const disk = makeSmallDisk(320);

/** Skipped only where no disk of its own can be had for it: mounting one takes root with CAP_SYS_ADMIN. */
(disk === null ? describe.skip : describe)('a service whose PostgreSQL has no disk left', () => {
  const small = disk!;
  const acknowledged: string[] = [];
  let child: ChildService;
  let service: TestService;
  let hook: TestWebhook;
  let url: string;

  const connection = async (): Promise<DataSource> =>
    new DataSource(connectionOptions(url, ENTITIES, 2)).initialize();
  const cluster = join(small?.directory ?? '', 'data/postgres');

  beforeAll(async () => {
    const data = join(small.directory, 'data');
    child = new ChildService({ ENTOURAGE_DATA_DIR: data, ENTOURAGE_LOG_LEVEL: 'warn' });
    const at = await child.ready();
    const port = /^port = '(\d+)'/m.exec(readFileSync(join(cluster, 'postgresql.auto.conf'), 'utf8'))?.[1];
    const { database_password } = JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8'));
    url = `postgres://entourage:${encodeURIComponent(database_password)}@127.0.0.1:${port}/entourage`;
    const db = await connection();
    service = { url: at, http: supertest(at) } as TestService;
    const { org, team, key } = await makeWorkspace(db);
    await db.destroy();
    hook = await makeWebhook(service, key, { org_id: org.id, team_id: team.id });
  });
  afterAll(async () => {
    small.free();
    await child.stop();
    const pid = postgresPid(cluster);
    if (pid !== null) process.kill(pid, 'SIGQUIT');
    small.remove();
  });

  /** Sends a delivery of 20 kB that does not compress; remembers it when it was acknowledged. */
  const send = async (guid = randomUUID()) => {
    const payload = issueOpened({ body: Array.from({ length: 550 }, () => randomUUID()).join('') });
    const answer = await deliver(service, hook, 'issues', payload, { 'X-GitHub-Delivery': guid });
    expect([200, 503]).toContain(answer.status);
    if (answer.status === 200) acknowledged.push(guid);
    else expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    return answer.status;
  };
  const readiness = async (): Promise<string> => {
    const { status, body } = await service.http.get('/api/v1/health/ready');
    return status === 200 ? 'ready' : String(body.detail);
  };
  const recovers = async (): Promise<void> => {
    small.free();
    await until(async () => (await readiness()) === 'ready', 'the service to be ready', 60_000);
    await until(async () => (await send()) === 200, 'a delivery to be taken', 30_000);
    const db = await connection();
    const rows: { guid: string }[] = await db.query(
      `SELECT guid FROM deliveries WHERE guid = ANY($1) AND status = 'processed' AND task_id IS NOT NULL`,
      [acknowledged],
    );
    await db.destroy();
    expect(rows.map(({ guid }) => guid).toSorted()).toEqual(acknowledged.toSorted());
  };

  it('answers 503, says so, and goes on when there is room again', async () => {
    expect(await send()).toBe(200);
    await until(async () => (await readiness()) === 'ready', 'the service to be ready');
    small.fill();
    await until(
      async () => (await send()) === 503 && /disk .* is full|does not answer/.test(await readiness()),
      'a delivery that finds no room, and a service that says so',
      60_000,
    );
    for (let n = 0; n < 5; n += 1) await send();
    expect((await service.http.get('/api/v1/health/live')).status).toBe(200);
    await recovers();
    expect(child.said).not.toMatch(/uncaught|unhandled/);
  });

  it('comes back when PostgreSQL gave up because it could not write its log', async () => {
    expect(await send()).toBe(200);
    small.fill();
    // Each takes the rest of a segment of 16 MB, until there is room for no further one.
    await until(
      async () => {
        const db = await connection().catch(() => null);
        if (db === null) return true;
        try {
          await db.query(`SELECT pg_switch_wal(), pg_logical_emit_message(true, 'test', repeat('x', 1000))`);
          return false;
        } catch {
          return true;
        } finally {
          await db.destroy().catch(() => undefined);
        }
      },
      'PostgreSQL to give up',
      60_000,
    );
    // It cannot recover either, and ends; starting it again helps no more as long as the disk is full.
    await until(() => child.said.includes('the embedded database did not start'), 'a start in vain', 60_000);
    expect(await send()).toBe(503);
    // For a moment readiness goes by the last look at the database, and names the listening connection alone.
    await until(
      async () => (await readiness()).includes('does not answer'),
      'readiness to name the database',
    );
    expect((await service.http.get('/api/v1/health/live')).status).toBe(200);
    await recovers();
    expect(child.said).not.toMatch(/uncaught|unhandled/);
  });
});
