import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Callers } from '../support/fleet/callers.js';
import { disturbances } from '../support/fleet/disturbances.js';
import { Fleet } from '../support/fleet/fleet.js';
import { type PrivatePostgres, startPrivatePostgres } from '../support/fleet/private-postgres.js';
import { randomFrom } from '../support/fleet/random.js';
import { type Acknowledged, sendIssues } from '../support/fleet/send-issues.js';
import { leftOver, violations } from '../support/fleet/violations.js';
import { makeWorkplace, type Workplace, workplaceSettings } from '../support/fleet/workplace.js';
import { until } from '../support/until.js';

/** By hand for longer: `CHAOS_ISSUES=5000 npm test -- chaos`; one order again: `CHAOS_SEED=…`. */
const ISSUES = Number(process.env['CHAOS_ISSUES'] ?? 80);
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
/** Acknowledged deliveries between two disturbances. */
const STRIDE = 8;
const PATIENCE_MS = 120_000 + ISSUES * 500;

/** Says when two programs work on one task, or as one agent, at a time: the kernel ends a lock with its program. */
const program = (directory: string): string => `cat > /dev/null
command -v flock > /dev/null || exit 0
exec 8> "${directory}/task-$ENTOURAGE_TASK_ID" 9> "${directory}/agent-$ENTOURAGE_AGENT_ID"
flock -n 8 || echo "task $ENTOURAGE_TASK_ID" >> "${directory}/overlaps"
flock -n 9 || echo "agent $ENTOURAGE_AGENT_ID" >> "${directory}/overlaps"
sleep 0.5`;

describe(`three processes of each role on one PostgreSQL (CHAOS_SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  let directory: string;
  let postgres: PrivatePostgres;
  let fleet: Fleet;
  let callers: Callers;
  let workplace: Workplace;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'chaos-'));
    chmodSync(directory, 0o711);
    const commands = join(directory, 'commands.json');
    writeFileSync(commands, JSON.stringify({ work: { argv: ['/bin/sh', '-c', program(directory)] } }));
    postgres = await startPrivatePostgres();
    fleet = new Fleet(
      ['api', 'dispatcher', 'notifier', 'api', 'dispatcher', 'notifier', 'api', 'dispatcher', 'notifier'],
      {
        ...workplaceSettings(commands),
        DATABASE_URL: postgres.url,
        ENTOURAGE_DB_POOL_SIZE: '5',
        ENTOURAGE_RUN_LEASE_SECONDS: '3',
        ENTOURAGE_NOTIFY_LEASE_SECONDS: '6',
        ENTOURAGE_POLL_SECONDS: '1',
      },
    );
    await fleet.ready();
    callers = new Callers(() => fleet.urls('api'));
    workplace = await makeWorkplace(postgres.url, callers, random, { http: 4, command: 4 });
  }, 180_000);

  afterAll(async () => {
    callers?.close();
    await fleet?.close('SIGKILL');
    await workplace?.close();
    await postgres?.close();
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  it(
    'loses nothing and does nothing twice, while processes are killed, PostgreSQL restarts and listeners are cut',
    async () => {
      const acknowledged: Acknowledged[] = [];
      const struck: string[] = [];
      let sent = false;
      const send = (): Promise<void> =>
        sendIssues(
          callers,
          workplace.hook,
          { issues: ISSUES, senders: 4, pause_ms: 600 },
          acknowledged,
        ).finally(() => (sent = true));
      const disturb = async (): Promise<void> => {
        for (let round = 1; ; round += 1)
          for (const one of disturbances(fleet, postgres, random)) {
            const next = acknowledged.length + STRIDE;
            await until(() => sent || acknowledged.length >= next, 'further deliveries', PATIENCE_MS);
            if (sent && round > 1) return;
            struck.push(one.name);
            await one.strike();
          }
      };
      await Promise.all([send(), disturb()]);
      await fleet.ready();
      expect({ struck, left: await leftOver(postgres.query, PATIENCE_MS) }).toEqual({ struck, left: [] });
      await workplace.approved();
      expect(await violations(postgres.query, workplace, acknowledged, ISSUES)).toEqual([]);
      const overlaps = join(directory, 'overlaps');
      expect(existsSync(overlaps) ? readFileSync(overlaps, 'utf8') : '').toBe('');
      expect(workplace.work.length).toBeGreaterThan(0);
      await fleet.close('SIGTERM');
      expect([...callers.faults, ...fleet.faults]).toEqual([]);
    },
    PATIENCE_MS * 3,
  );
});
