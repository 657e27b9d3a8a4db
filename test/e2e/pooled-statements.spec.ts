import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Callers } from '../support/fleet/callers.js';
import { Fleet } from '../support/fleet/fleet.js';
import { queryOn } from '../support/fleet/query.js';
import { randomFrom } from '../support/fleet/random.js';
import { type Acknowledged, sendIssues } from '../support/fleet/send-issues.js';
import { startStatementProxy, type StatementProxy } from '../support/fleet/statement-proxy.js';
import { leftOver, violations } from '../support/fleet/violations.js';
import { makeWorkplace, type Workplace, workplaceSettings } from '../support/fleet/workplace.js';

const ISSUES = 9;
/** What outlives a transaction: behind a transaction pooler it would be lost, or be another client's. */
const OF_A_SESSION = [
  /^\s*SET\s+(?!LOCAL\b|TRANSACTION\b)/i,
  /^\s*(RESET|DISCARD|LISTEN|UNLISTEN|PREPARE|EXECUTE|DEALLOCATE|LOAD)\b/i,
  /\bpg_(try_)?advisory_(lock|unlock)/i,
  /\bCREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP/i,
  /\bWITH\s+HOLD\b/i,
  /\bset_config\s*\([^)]*\bfalse\s*\)/i,
];
/** Parameters of a connection that PgBouncer follows. */
const FOLLOWED = ['application_name', 'client_encoding', 'database', 'user'];

/** Runs everywhere: what PgBouncer itself makes of it is shown by pgbouncer.spec.ts, where there is one. */
describe('what is sent over DATABASE_URL while DATABASE_DIRECT_URL is another one', () => {
  let directory: string;
  let database: TestDatabase;
  let proxy: StatementProxy;
  let fleet: Fleet;
  let callers: Callers;
  let workplace: Workplace;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'statements-'));
    const commands = join(directory, 'commands.json');
    writeFileSync(commands, JSON.stringify({ work: { argv: ['/bin/sh', '-c', 'cat > /dev/null'] } }));
    database = await createTestDatabase();
    proxy = await startStatementProxy(database.url);
    fleet = new Fleet(['api', 'dispatcher', 'notifier'], {
      ...workplaceSettings(commands),
      DATABASE_URL: proxy.url,
      DATABASE_DIRECT_URL: database.url,
    });
    await fleet.ready();
    callers = new Callers(() => fleet.urls('api'));
    workplace = await makeWorkplace(database.url, callers, randomFrom(1), { http: 2, command: 1 });
  }, 120_000);

  afterAll(async () => {
    callers?.close();
    await fleet?.close('SIGKILL');
    await workplace?.close();
    await proxy?.close();
    await database?.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('leaves nothing behind in a session, from the issue to the last notification', async () => {
    const acknowledged: Acknowledged[] = [];
    const query = queryOn(database.url);
    await sendIssues(callers, workplace.hook, { issues: ISSUES, senders: 3, pause_ms: 20 }, acknowledged);
    expect(await leftOver(query, 60_000)).toEqual([]);
    await workplace.approved();
    await fleet.close('SIGTERM');
    expect(await violations(query, workplace, acknowledged, ISSUES)).toEqual([]);
    const statements = [...proxy.statements];
    expect(
      statements.filter((sql) => /INSERT INTO (deliveries|agent_runs)/.test(sql)).length,
    ).toBeGreaterThan(1);
    expect(statements.filter((sql) => OF_A_SESSION.some((rule) => rule.test(sql)))).toEqual([]);
    expect([...proxy.parameters].filter((name) => !FOLLOWED.includes(name))).toEqual([]);
  }, 120_000);
});
