import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { MIGRATIONS } from '../../src/database/migrations/index.js';
import { ChildService } from '../support/child-service.js';
import { asAdmin, createEmptyDatabase, type TestDatabase } from '../support/database.js';
import { type Query, queryOn } from '../support/fleet/query.js';
import { TEST_SETTINGS } from '../support/service.js';
import { until } from '../support/until.js';

jest.setTimeout(90_000);

/** The connection of the lock, once another of the same process waits for the table of migrations. */
const IDLE_LOCK = `
  SELECT pid FROM pg_locks JOIN pg_stat_activity a USING (pid)
  WHERE locktype = 'advisory' AND granted AND a.datname = current_database()
    AND EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'migrations'::regclass)`;

const LONG_WAIT = `
  SELECT FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '300ms'`;

describe('migrations apart from the processes that serve', () => {
  let database: TestDatabase;
  let query: Query;
  const children: ChildService[] = [];
  const databases: TestDatabase[] = [];

  beforeEach(async () => {
    database = await createEmptyDatabase();
    databases.push(database);
    query = queryOn(database.url);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.signal('SIGKILL');
      await child.exited;
    }
  });
  afterAll(async () => {
    for (const one of databases) await one.drop();
  });

  const start = (args: string[], env: Record<string, string> = {}): ChildService => {
    const child = new ChildService(
      {
        DATABASE_URL: database.url,
        ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
        ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
        ...env,
      },
      { args },
    );
    children.push(child);
    return child;
  };
  const migrations = async (): Promise<number> =>
    (await query('SELECT FROM migrations').catch(() => [])).length;
  const lastLine = ({ said }: ChildService): string | undefined => said.trim().split('\n').at(-1);

  it('are applied by a command that ends: several at once apply each once, and a later one finds nothing', async () => {
    const several = [start(['migrate']), start(['migrate']), start(['migrate'])];
    expect(await Promise.all(several.map((child) => child.exited))).toEqual(
      several.map(() => ({ code: 0, signal: null })),
    );
    const said = several.map(lastLine);
    expect(said.filter((line) => line === 'entourage: no migration was pending')).toHaveLength(2);
    expect(said).toContain(`entourage: the schema is complete; ${MIGRATIONS.length} applied`);
    expect(await migrations()).toBe(MIGRATIONS.length);
    const later = start(['migrate']);
    expect((await later.exited).code).toBe(0);
    expect(lastLine(later)).toBe('entourage: no migration was pending');
    expect(later.said).not.toContain('listening');
  });

  it('are waited for by a process that may not apply them, which then serves', async () => {
    const serving = start([], { ENTOURAGE_MIGRATE: 'false' });
    await until(() => serving.said.includes('waiting for'), 'it to wait', 30_000);
    expect(serving.said).toContain(`waiting for ${MIGRATIONS.length} migration(s)`);
    expect(serving.said).toContain(MIGRATIONS[0]!.name);
    expect(await migrations()).toBe(0);
    expect((await start(['migrate'], { ENTOURAGE_MIGRATE: 'false' }).exited).code).toBe(0);
    const url = await serving.ready();
    expect((await fetch(`${url}/api/v1/health/ready`)).status).toBe(200);
    // The last one is missing: as a newer version finds the schema of an older one.
    await query('DELETE FROM migrations WHERE name = $1', [MIGRATIONS.at(-1)!.name]);
    const newer = start([], { ENTOURAGE_MIGRATE: 'false' });
    await until(() => newer.said.includes('waiting for 1 migration(s)'), 'the newer one to wait', 30_000);
    expect(await newer.stop()).toEqual({ code: 0, signal: null });
    expect(newer.said).not.toContain('listening');
  });

  it('go on when the connection of their lock is lost, and for longer than the limit of a statement', async () => {
    expect((await start(['migrate']).exited).code).toBe(0);
    const unlimited = queryOn(`${database.url}?options=-c%20statement_timeout%3D0`);
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    // Less than the test itself takes until it lets the table go: the role's limit does not hold for migrations.
    await holder.query(`ALTER DATABASE ${database.name} SET statement_timeout = '100ms'`);
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE migrations IN ACCESS EXCLUSIVE MODE');
    const child = start(['migrate']);
    const idle = await until(
      async () => (await unlimited<{ pid: number }>(IDLE_LOCK))[0],
      'it to wait for the table, under its lock',
      30_000,
    );
    await until(
      async () => (await unlimited(LONG_WAIT)).length > 0,
      'it to wait for longer than that',
      30_000,
    );
    await asAdmin('SELECT pg_terminate_backend($1)', [idle.pid]);
    await holder.end();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(lastLine(child)).toBe('entourage: no migration was pending');
  });

  it('fail with one line, and with 1, when there is no database or no such command', async () => {
    const away = start(['migrate'], { DATABASE_URL: 'postgres://u:hush@127.0.0.1:1/x' });
    expect(await away.exited).toEqual({ code: 1, signal: null });
    expect(lastLine(away)).toMatch(/^entourage: PostgreSQL at DATABASE_URL does not answer/);
    const wrong = start(['migrat']);
    expect(await wrong.exited).toEqual({ code: 1, signal: null });
    expect(wrong.said).toMatch(/^entourage: there is no command "migrat"/);
    expect(await migrations()).toBe(0);
  });
});
