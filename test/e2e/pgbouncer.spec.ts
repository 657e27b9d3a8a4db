import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildService } from '../support/child-service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Callers } from '../support/fleet/callers.js';
import { Fleet } from '../support/fleet/fleet.js';
import { findPgBouncer, type PgBouncer, startPgBouncer } from '../support/fleet/pgbouncer.js';
import { queryOn } from '../support/fleet/query.js';
import { randomFrom } from '../support/fleet/random.js';
import { type Acknowledged, sendIssues } from '../support/fleet/send-issues.js';
import { leftOver, violations } from '../support/fleet/violations.js';
import { makeWorkplace, type Workplace, workplaceSettings } from '../support/fleet/workplace.js';

const ISSUES = 60;
const { path, missing } = findPgBouncer();
// Jest does not name what it skips.
if (path === null) process.stderr.write(`pgbouncer.spec.ts is skipped: ${missing}\n`);

(path === null ? describe.skip : describe)('the whole way through PgBouncer in transaction mode', () => {
  let directory: string;
  let database: TestDatabase;
  let pooler: PgBouncer;
  let fleet: Fleet;
  let callers: Callers;
  let workplace: Workplace;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pooled-'));
    const commands = join(directory, 'commands.json');
    writeFileSync(commands, JSON.stringify({ work: { argv: ['/bin/sh', '-c', 'cat > /dev/null'] } }));
    database = await createTestDatabase();
    pooler = await startPgBouncer(path ?? '', database.url);
    fleet = new Fleet(['api', 'api', 'dispatcher', 'dispatcher', 'notifier', 'notifier'], {
      ...workplaceSettings(commands),
      DATABASE_URL: pooler.url,
      DATABASE_DIRECT_URL: database.url,
    });
    await fleet.ready();
    callers = new Callers(() => fleet.urls('api'));
    workplace = await makeWorkplace(database.url, callers, randomFrom(1), { http: 4, command: 2 });
  }, 180_000);

  afterAll(async () => {
    callers?.close();
    await fleet?.close('SIGKILL');
    await workplace?.close();
    await pooler?.stop();
    await database?.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('is not mistaken for PostgreSQL by a process that is given nothing else', async () => {
    const child = new ChildService({ ...workplaceSettings(''), DATABASE_URL: pooler.url });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.said).toContain('set DATABASE_DIRECT_URL to PostgreSQL itself');
    const locks = await queryOn(database.url)(
      `SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND datname = current_database()`,
    );
    expect(locks).toEqual([]);
  });

  it('takes every issue to its end once, over fewer connections than there are clients', async () => {
    const acknowledged: Acknowledged[] = [];
    const query = queryOn(database.url);
    const sending = { issues: ISSUES, senders: 8, pause_ms: 20 };
    await sendIssues(callers, workplace.hook, sending, acknowledged);
    expect(await leftOver(query, 60_000)).toEqual([]);
    await workplace.approved();
    expect(await violations(query, workplace, acknowledged, ISSUES)).toEqual([]);
    await fleet.close('SIGTERM');
    expect([...callers.faults, ...fleet.faults]).toEqual([]);
  }, 120_000);
});
