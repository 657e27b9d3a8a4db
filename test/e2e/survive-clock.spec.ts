import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import supertest from 'supertest';
import { type DataSource } from 'typeorm';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { deliver, makeWebhook, sign, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const AGENTS = 3;
const REFUSED_PER_MINUTE = 3;

/** Its process's clock alone: leases, retries and retention go by the database's. */
describe('a service whose clock jumps', () => {
  let database: TestDatabase;
  let db: DataSource;
  let directory: string;
  let child: ChildService;
  let service: TestService;
  let key: string;
  let hook: TestWebhook;
  /** In the order in which they were acknowledged. */
  const acknowledged: { delivery_id: string; task_id: number }[] = [];
  const file = (name: string): string => join(directory, name);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'clock-'));
    database = await createTestDatabase();
    db = await connectTo(database.url);
    const work = `cat > /dev/null; cd ${directory}; echo "$ENTOURAGE_TASK_ID" >> log
      if [ -e fail ] && [ "$ENTOURAGE_ATTEMPT" = 1 ]; then exit 1; fi
      while [ -e hold ]; do sleep 0.05; done`;
    writeFileSync(file('commands.json'), JSON.stringify({ work: { argv: ['/bin/sh', '-c', work] } }));
    await start(0);
    const org = await makeOrganization(db);
    const team = await makeTeam(db, org.id);
    ({ key } = await makeApiKey(db, org.id));
    for (let n = 0; n < AGENTS; n += 1)
      await makeAgent(db, team, { runtime: 'command', runtime_config: { command: 'work' } });
    const config = { auto_assign: true };
    hook = await makeWebhook(service, key, { org_id: org.id, team_id: team.id, config });
  });
  afterAll(async () => {
    child.signal('SIGKILL');
    await child.exited;
    await db.destroy();
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (offset: number): Promise<void> => {
    writeFileSync(file('offset'), String(offset));
    child = new ChildService({
      NODE_OPTIONS: `--import=${join(process.cwd(), 'test/support/shifted-clock.mjs')}`,
      CLOCK_OFFSET: file('offset'),
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_COMMANDS_FILE: file('commands.json'),
      ENTOURAGE_RECEIVE_REFUSED_PER_MINUTE: String(REFUSED_PER_MINUTE),
      ENTOURAGE_RUN_LEASE_SECONDS: '20',
      ENTOURAGE_RUN_BACKOFF_SECONDS: '0.1',
      ENTOURAGE_POLL_SECONDS: '0.5',
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: '2',
      ENTOURAGE_LOG_LEVEL: 'warn',
    });
    const url = await child.ready();
    service = { db, url, http: supertest(url) } as TestService;
  };
  const jump = async (offset: number): Promise<void> => {
    writeFileSync(file('offset'), String(offset));
    child.signal('SIGUSR2');
    await until(() => child.said.endsWith(`clock off by ${offset} ms\n`), 'the clock to jump');
  };
  /** One after the other; one that the jump met on its way may be refused, and is sent again. */
  const send = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      const payload = issueOpened();
      const guid = { 'X-GitHub-Delivery': randomUUID() };
      const { body } = await until(async () => {
        const answer = await deliver(service, hook, 'issues', payload, guid);
        if (answer.status !== 200) expect(answer.status).toBe(503);
        return answer.status === 200 && answer;
      }, 'a delivery to be taken');
      acknowledged.push(body);
    }
  };
  const worked = (): number[] =>
    existsSync(file('log')) ? readFileSync(file('log'), 'utf8').split('\n').filter(Boolean).map(Number) : [];
  const ids = (): number[] => acknowledged.map(({ task_id }) => task_id);
  const finished = (task_ids: number[]): Promise<unknown> =>
    until(
      async () => {
        const [row] = await db.query(
          `SELECT count(*)::int AS count FROM tasks WHERE id = ANY($1) AND status = 'in_review'`,
          [task_ids],
        );
        return row.count === task_ids.length;
      },
      'every task to be worked on',
      60_000,
    );

  it('loses no run, doubles none, and keeps who is signed in and who is held back as it should', async () => {
    const account = { email: 'clock@example.com', name: 'Clock', password: randomUUID() };
    await service.http.post('/api/v1/auth/register').send(account).expect(201);
    const { body } = await service.http.post('/api/v1/auth/login').send(account).expect(200);
    const me = () => service.http.get('/api/v1/orgs').set('Authorization', `Bearer ${body.access_token}`);
    const other = await makeWebhook(service, key, { org_id: hook.org_id });
    const forged = () =>
      deliver(service, other, 'issues', '{}', { 'X-Hub-Signature-256': sign('whsec_other', 'x') });
    for (let n = 0; n < REFUSED_PER_MINUTE; n += 1) await forged();

    writeFileSync(file('hold'), '');
    await send(AGENTS);
    await until(() => worked().length === AGENTS, 'every agent to be at work');
    await jump(HOUR + 60_000);
    await send(5);
    expect((await me()).status).toBe(401);
    await service.http.post('/api/v1/auth/login').send(account).expect(200);
    await jump(-HOUR);
    await send(5);
    expect((await me()).status).toBe(200);
    const { status, headers } = await forged();
    // Unless the minute is over by now.
    if (status !== 401) expect([status, Number(headers['retry-after']) <= 60]).toEqual([429, true]);
    await service.http.get('/api/v1/health/ready').expect(200);

    expect(worked()).toHaveLength(AGENTS);
    rmSync(file('hold'));
    await finished(ids());
    expect(worked().toSorted((a, b) => a - b)).toEqual(ids());
    const runs = await db.query('SELECT task_id, status FROM agent_runs ORDER BY task_id');
    expect(runs).toEqual(ids().map((task_id) => ({ task_id, status: 'succeeded' })));
  });

  it('by months makes the partition it needs, and tries again when the time has come by every other clock', async () => {
    await jump(60 * DAY);
    writeFileSync(file('fail'), '');
    await send(1);
    const [task_id] = ids().slice(-1) as [number];
    await finished([task_id]);
    const runs = await db.query('SELECT status FROM agent_runs WHERE task_id = $1 ORDER BY attempt', [
      task_id,
    ]);
    expect(runs).toEqual([{ status: 'failed' }, { status: 'succeeded' }]);
    const [row] = await db.query(
      `SELECT count(*)::int AS count FROM deliveries WHERE created_at > now() + interval '50 days'`,
    );
    expect(row.count).toBe(1);
  });

  it('lists deliveries in the order they came, each once, page by page', async () => {
    await jump(0);
    await send(3);
    const listed: string[] = [];
    for (let next = `/api/v1/webhooks/${hook.id}/deliveries?limit=4`; next !== '';) {
      const answer = await service.http.get(next).set('X-API-Key', key).expect(200);
      listed.push(...(answer.body as { id: string }[]).map(({ id }) => id));
      next = /<(.*)>; rel="next"/.exec(answer.headers['link'] ?? '')?.[1] ?? '';
    }
    expect(listed).toEqual(acknowledged.map(({ delivery_id }) => delivery_id).toReversed());
  });

  it('drops nothing that is old by its own clock only', async () => {
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    await start(200 * DAY);
    // What it cleans at its start is clean before it stops.
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    const rows = await db.query('SELECT id FROM deliveries WHERE id = ANY($1)', [
      acknowledged.map(({ delivery_id }) => delivery_id),
    ]);
    expect(rows).toHaveLength(acknowledged.length);
  });
});
