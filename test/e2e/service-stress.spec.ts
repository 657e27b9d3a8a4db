import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import supertest from 'supertest';
import { DataSource } from 'typeorm';
import { connectionOptions } from '../../src/database/connection-options.js';
import { ENTITIES } from '../../src/entities.js';
import { makeAgent, makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, sign, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService, postgresPid } from '../support/child-service.js';
import { type TestService } from '../support/service.js';
import { until } from '../support/until.js';

jest.setTimeout(180_000);

const MEBIBYTE = 1024 * 1024;
const LIMIT = 25 * MEBIBYTE;

const alive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

/** The built service on its own embedded PostgreSQL, as `npm start` brings it up. */
describe('a service under stress', () => {
  const directories: string[] = [];
  const children: ChildService[] = [];
  const connections: DataSource[] = [];

  afterEach(async () => {
    for (const db of connections.splice(0)) await db.destroy().catch(() => undefined);
    for (const child of children.splice(0)) {
      child.signal('SIGKILL');
      await child.exited;
    }
  });
  afterAll(async () => {
    for (const directory of directories) {
      const pid = postgresPid(join(directory, 'data/postgres'));
      if (pid !== null) process.kill(pid, 'SIGQUIT');
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  const setUp = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'stress-'));
    await chmod(directory, 0o711);
    directories.push(directory);
    const work = {
      argv: ['/bin/sh', '-c', `echo $$ >> ${directory}/pids; sleep 600 & echo $! >> ${directory}/pids; wait`],
    };
    await writeFile(join(directory, 'commands.json'), JSON.stringify({ work }));
    return directory;
  };
  const start = async (
    directory: string,
    env: Record<string, string> = {},
  ): Promise<{ child: ChildService; service: TestService }> => {
    const child = new ChildService({
      ENTOURAGE_DATA_DIR: join(directory, 'data'),
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_LOG_LEVEL: 'warn',
      ...env,
    });
    children.push(child);
    const url = await child.ready();
    const cluster = join(directory, 'data/postgres');
    const port = /^port = '(\d+)'/m.exec(readFileSync(join(cluster, 'postgresql.auto.conf'), 'utf8'))?.[1];
    const { database_password } = JSON.parse(readFileSync(join(directory, 'data/secrets.json'), 'utf8'));
    const db = await new DataSource(
      connectionOptions(
        `postgres://entourage:${encodeURIComponent(database_password)}@127.0.0.1:${port}/entourage`,
        ENTITIES,
        4,
      ),
    ).initialize();
    connections.push(db);
    return { child, service: { db, url, http: supertest(url) } as TestService };
  };

  it('is stopped while it receives and agents work: nothing acknowledged is lost, nothing is left over', async () => {
    const directory = await setUp();
    const { child, service } = await start(directory, { ENTOURAGE_SHUTDOWN_GRACE_SECONDS: '4' });
    const { org, team, key } = await makeWorkspace(service.db);
    for (let n = 0; n < 3; n += 1)
      await makeAgent(service.db, team, { runtime: 'command', runtime_config: { command: 'work' } });
    const hook = await makeWebhook(service, key, {
      org_id: org.id,
      team_id: team.id,
      config: { auto_assign: true },
    });
    const acknowledged = new Map<string, { delivery_id: string; task_id: number }>();
    let stopping = false;
    const sender = async (): Promise<void> => {
      for (;;) {
        const guid = randomUUID();
        try {
          const answer = await deliver(service, hook, 'issues', issueOpened(), { 'X-GitHub-Delivery': guid });
          if (answer.status === 200) acknowledged.set(guid, answer.body);
          else if (answer.status !== 503) throw new Error(`answered ${answer.status}`);
        } catch (error) {
          if (stopping) return;
          throw error;
        }
      }
    };
    const sending = Promise.all(Array.from({ length: 8 }, sender));
    const pids = (): number[] => {
      try {
        return readFileSync(join(directory, 'pids'), 'utf8').split('\n').filter(Boolean).map(Number);
      } catch {
        return [];
      }
    };
    await until(() => pids().length >= 6 && acknowledged.size > 50, 'deliveries and agents at work', 60_000);
    await service.db.destroy();
    stopping = true;
    const began = Date.now();
    const exit = await child.stop();
    expect(Date.now() - began).toBeLessThan(20_000);
    expect([exit, child.said]).toEqual([{ code: 0, signal: null }, expect.stringMatching(/stopped\n$/)]);
    await sending;
    expect(pids().filter(alive)).toEqual([]);
    expect(postgresPid(join(directory, 'data/postgres'))).toBeNull();
    expect(await readdir(join(directory, 'data'))).not.toContain('service.lock');

    await writeFile(
      join(directory, 'commands.json'),
      JSON.stringify({ work: { argv: ['/bin/sh', '-c', 'cat > /dev/null'] } }),
    );
    const next = await start(directory);
    const rows: { guid: string; id: string; task_id: number }[] = await next.service.db.query(
      'SELECT guid, id, task_id FROM deliveries WHERE guid = ANY($1)',
      [[...acknowledged.keys()]],
    );
    expect(rows).toHaveLength(acknowledged.size);
    for (const { guid, id, task_id } of rows)
      expect(acknowledged.get(guid)).toMatchObject({ delivery_id: id, task_id });
    const interrupted: { task_id: number; status: string }[] = await next.service.db.query(
      `SELECT task_id, status FROM agent_runs WHERE cancel_reason = 'shutdown'`,
    );
    expect(interrupted.map(({ status }) => status)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    await until(
      async () => {
        const [done] = await next.service.db.query(
          `SELECT count(*)::int FROM tasks WHERE id = ANY($1) AND status = 'in_review' AND failed_runs = 0`,
          [interrupted.map(({ task_id }) => task_id)],
        );
        return done.count === 3;
      },
      'the interrupted tasks to be worked on again',
      60_000,
    );
    expect(
      await next.service.db.query(
        `SELECT t.id FROM tasks t WHERE t.status = 'in_progress'
           AND NOT EXISTS (SELECT FROM agent_runs r WHERE r.task_id = t.id AND r.finished_at IS NULL)
         UNION ALL
         SELECT 0 FROM agents a WHERE a.status = 'working'
           AND NOT EXISTS (SELECT FROM agent_runs r WHERE r.agent_id = a.id AND r.finished_at IS NULL)`,
      ),
    ).toEqual([]);
    expect((await next.child.stop()).code).toBe(0);
  });

  describe('from its senders', () => {
    let child: ChildService;
    let service: TestService;
    let hook: TestWebhook;
    const large = (): string => {
      const payload = JSON.stringify(issueOpened({ title: 'Large' }));
      return `${payload.slice(0, -1)},"filler":"${'x'.repeat(LIMIT - payload.length - 12)}"}`;
    };
    const peakMebibytes = (): number =>
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
    const bring = async (): Promise<void> => {
      ({ child, service } = await start(await setUp(), { ENTOURAGE_RECEIVE_REFUSED_PER_MINUTE: '0' }));
      const { org, team, key } = await makeWorkspace(service.db);
      hook = await makeWebhook(service, key, { org_id: org.id, team_id: team.id });
    };

    it('survives many of the largest bodies at once, within bounded memory, and goes on', async () => {
      await bring();
      const body = large();
      const outsider = { 'X-Hub-Signature-256': sign('whsec_other', 'x') };
      const answers = await Promise.allSettled(
        Array.from({ length: 24 }, (_, n) =>
          deliver(service, hook, 'issues', body, n % 2 === 0 ? {} : outsider),
        ),
      );
      const statuses = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.status : 0));
      const ordinary = await deliver(service, hook, 'issues', issueOpened());
      expect(ordinary.status).toBe(200);
      expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1);
      for (const answer of answers) {
        if (answer.status !== 'fulfilled') continue;
        expect([200, 401, 413, 503]).toContain(answer.value.status);
        if (answer.value.status === 503)
          expect(Number(answer.value.headers['retry-after'])).toBeGreaterThan(0);
      }
      expect(peakMebibytes()).toBeLessThan(1_200);
      for (let n = 0; n < 20; n += 1)
        expect((await deliver(service, hook, 'issues', issueOpened())).status).toBe(200);
      expect((await service.http.get('/api/v1/health/ready')).status).toBe(200);
      expect(child.said).not.toMatch(/uncaught|unhandled/);
    });

    it('ends a body that stands still in bounded time', async () => {
      await bring();
      const began = Date.now();
      const client = connect(Number(new URL(service.url).port), '127.0.0.1');
      let answer = '';
      client.on('data', (data) => (answer += data.toString())).on('error', () => undefined);
      const closed = new Promise((done) => client.once('close', done));
      client.write(
        `POST /api/v1/webhooks/${hook.id}/receive HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
          `Content-Length: 1000000\r\n\r\n{`,
      );
      await closed;
      expect(answer).toMatch(/^HTTP\/1.1 408 /);
      expect(Date.now() - began).toBeLessThan(25_000);
      await deliver(service, hook, 'issues', issueOpened()).expect(200);
    });
  });
});
