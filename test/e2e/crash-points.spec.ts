import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import supertest from 'supertest';
import { type DataSource } from 'typeorm';
import { makeAgent, makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

interface Point {
  name: string;
  /** What the test locks, so that the service stops exactly there. */
  lock: string;
  /** Part of the statement that then waits. */
  waits: string;
  acknowledged: boolean;
  /** How the runs of the task end. */
  runs: string[];
  /** Locked only once the program is at work, which is then let go on. */
  atWork?: true;
}

const table = (name: string): string => `LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE`;
const POINTS: Point[] = [
  {
    name: 'before the delivery is written',
    lock: table('delivery_keys'),
    waits: 'delivery_keys',
    acknowledged: false,
    runs: ['succeeded'],
  },
  {
    name: 'before the task is written',
    lock: table('task_events'),
    waits: 'WITH new AS MATERIALIZED',
    acknowledged: false,
    runs: ['succeeded'],
  },
  {
    name: 'after the task is written, before the commit',
    lock: table('deliveries'),
    waits: 'INSERT INTO deliveries',
    acknowledged: false,
    runs: ['succeeded'],
  },
  {
    name: 'between the commit and the claim',
    lock: table('agent_runs'),
    waits: 'SELECT team.id FROM teams team',
    acknowledged: true,
    runs: ['succeeded'],
  },
  {
    name: 'between the claim and the start',
    lock: table('task_context'),
    waits: 'task_context',
    acknowledged: true,
    runs: ['expired', 'succeeded'],
  },
  {
    name: 'while the end of the run is written',
    lock: 'SELECT FROM agents FOR UPDATE',
    waits: 'UPDATE agent_runs SET status',
    acknowledged: true,
    runs: ['expired', 'succeeded'],
    atWork: true,
  },
];

describe('kill -9 at each step from a delivery to the end of a run', () => {
  let database: TestDatabase;
  let db: DataSource;
  let directory: string;
  const children: ChildService[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    directory = mkdtempSync(join(tmpdir(), 'crash-points-'));
    const script = `
      cat > /dev/null; cd ${directory}; echo begin >> log
      while [ ! -e go ]; do sleep 0.02; done
      echo end >> log`;
    const work = { argv: ['/bin/sh', '-c', script] };
    writeFileSync(join(directory, 'commands.json'), JSON.stringify({ work }));
  });
  afterAll(async () => {
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
    await db.destroy();
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (
    env: Record<string, string> = {},
  ): Promise<{ child: ChildService; service: TestService }> => {
    const child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_RUN_LEASE_SECONDS: '3',
      ENTOURAGE_RUN_BACKOFF_SECONDS: '0',
      ENTOURAGE_POLL_SECONDS: '0.5',
      ENTOURAGE_LOG_LEVEL: 'warn',
      ...env,
    });
    children.push(child);
    const url = await child.ready();
    return { child, service: { db, url, http: supertest(url) } as TestService };
  };
  const setUp = async (service: TestService) => {
    for (const file of ['go', 'log']) rmSync(join(directory, file), { force: true });
    const { org, team, key } = await makeWorkspace(db);
    await db.query('DELETE FROM agents WHERE team_id = $1', [team.id]);
    const agent = await makeAgent(db, team, { runtime: 'command', runtime_config: { command: 'work' } });
    const config = { auto_assign: true };
    const hook = await makeWebhook(service, key, { org_id: org.id, team_id: team.id, config });
    return { team, agent, hook };
  };
  const began = (): boolean => {
    try {
      return readFileSync(join(directory, 'log'), 'utf8').includes('begin');
    } catch {
      return false;
    }
  };
  const go = (): void => writeFileSync(join(directory, 'go'), '');
  const ended = (task_id: number): Promise<unknown> =>
    until(
      async () => {
        const [task] = await db.query('SELECT status FROM tasks WHERE id = $1', [task_id]);
        return task.status === 'in_review';
      },
      `task ${task_id} to be worked on`,
      40_000,
    );
  const waiting = (part: string): Promise<unknown> =>
    until(
      async () => {
        const [found] = await db.query(
          `SELECT count(*)::int FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock' AND strpos(query, $1) > 0`,
          [part],
        );
        return found.count > 0;
      },
      `the service to stop at ${part}`,
      30_000,
    );

  it.each(POINTS)(
    '$name: one task, nothing stuck',
    async ({ lock, waits, acknowledged, runs, atWork }) => {
      const first = await start();
      const { agent, hook } = await setUp(first.service);
      const payload = issueOpened();
      const guid = { 'X-GitHub-Delivery': randomUUID() };
      const holder = new pg.Client({ connectionString: database.url });
      await holder.connect();
      const hold = async (): Promise<void> => {
        await holder.query('BEGIN');
        await holder.query(lock);
      };
      let task_id: number | undefined;
      let delivery_id: string | undefined;
      try {
        if (atWork !== true) await hold();
        const sent = deliver(first.service, hook, 'issues', payload, guid).then(
          (answer) => answer,
          () => null,
        );
        if (acknowledged) {
          const answer = await sent;
          expect(answer?.status).toBe(200);
          ({ task_id, delivery_id } = answer!.body);
        }
        if (atWork === true) {
          await until(began, 'the program to be at work', 30_000);
          await hold();
          go();
        }
        await waiting(waits);
        first.child.signal('SIGKILL');
        await first.child.exited;
        if (!acknowledged) expect((await sent)?.status ?? 503).toBe(503);
      } finally {
        first.child.signal('SIGKILL');
        await first.child.exited;
        await holder.end();
      }

      go();
      const second = await start();
      const again = await deliver(second.service, hook, 'issues', payload, guid).expect(200);
      expect(again.body.status).toBe(acknowledged ? 'duplicate' : 'processed');
      if (acknowledged) expect(again.body).toMatchObject({ task_id, delivery_id });
      await ended(again.body.task_id);
      const rows = await db.query(
        `SELECT (SELECT count(*)::int FROM deliveries WHERE webhook_id = $1) AS deliveries,
           (SELECT count(*)::int FROM tasks t WHERE team_id = a.team_id) AS tasks,
           ARRAY(SELECT status FROM agent_runs WHERE agent_id = a.id ORDER BY attempt) AS runs, a.status AS agent
         FROM agents a WHERE a.id = $2`,
        [hook.id, agent.id],
      );
      expect(rows).toEqual([{ deliveries: 1, tasks: 1, runs, agent: 'idle' }]);
      second.child.signal('SIGKILL');
      await second.child.exited;
    },
    120_000,
  );

  it('without a dispatcher that could hear of it: the next one finds the task by itself', async () => {
    const first = await start({ ENTOURAGE_ROLES: 'api' });
    const { hook } = await setUp(first.service);
    go();
    const { body } = await deliver(first.service, hook, 'issues', issueOpened()).expect(200);
    first.child.signal('SIGKILL');
    await first.child.exited;
    const second = await start();
    await ended(body.task_id);
    second.child.signal('SIGKILL');
    await second.child.exited;
  }, 120_000);

  it('with a notification that is lost: the next look finds the task', async () => {
    const { child, service } = await start();
    const { hook } = await setUp(service);
    go();
    const { body } = await deliver(service, hook, 'issues', issueOpened()).expect(200);
    await ended(body.task_id);
    // By hand in the database: nothing notifies of it.
    await db.query(`UPDATE tasks SET status = 'todo' WHERE id = $1`, [body.task_id]);
    await ended(body.task_id);
    expect(
      await db.query('SELECT status FROM agent_runs WHERE task_id = $1 ORDER BY attempt', [body.task_id]),
    ).toEqual([{ status: 'succeeded' }, { status: 'succeeded' }]);
    child.signal('SIGKILL');
    await child.exited;
  }, 120_000);
});
