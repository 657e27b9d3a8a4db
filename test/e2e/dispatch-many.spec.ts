import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { Dispatcher } from '../../src/modules/dispatch/dispatcher.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('several processes on one database', () => {
  let database: TestDatabase;
  let directory: string;
  const services: TestService[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    directory = mkdtempSync(join(tmpdir(), 'dispatch-many-'));
    writeFileSync(
      join(directory, 'commands.json'),
      JSON.stringify({ ok: { argv: ['/bin/sh', '-c', 'cat >/dev/null'] } }),
    );
    const shared = {
      DATABASE_URL: database.url,
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_POLL_SECONDS: 60,
    };
    services.push(
      await startTestService({ ...shared, ENTOURAGE_ROLES: ['api'] }),
      await startTestService({
        ...shared,
        ENTOURAGE_ROLES: ['dispatcher'],
        ENTOURAGE_MAX_CONCURRENT_RUNS: 2,
      }),
      await startTestService({
        ...shared,
        ENTOURAGE_ROLES: ['dispatcher'],
        ENTOURAGE_MAX_CONCURRENT_RUNS: 2,
      }),
    );
  });
  afterAll(async () => {
    for (const service of services) await service.close();
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('start each task once, with no more runs at a time than each may have', async () => {
    const [{ db }] = services as [TestService];
    const team = await makeTeam(db, (await makeOrganization(db)).id);
    for (let n = 0; n < 6; n += 1)
      await makeAgent(db, team, { runtime: 'command', runtime_config: { command: 'ok' } });
    const tasks = await Promise.all(
      Array.from({ length: 24 }, () => makeTask(db, team, { auto_assign: true })),
    );
    let most = 0;
    await until(
      async () => {
        const active: { n: number }[] = await db.query(
          'SELECT count(*)::int n FROM agent_runs WHERE finished_at IS NULL GROUP BY dispatcher',
        );
        most = Math.max(most, ...active.map(({ n }) => n));
        return (
          (await db.getRepository(Task).countBy({ team_id: team.id, status: 'in_review' })) === tasks.length
        );
      },
      'every task to be in review',
      25_000,
    );
    expect(most).toBeLessThanOrEqual(2);
    const runs = await db.getRepository(AgentRun).findBy({ team_id: team.id });
    expect(runs.map(({ status }) => status)).toEqual(tasks.map(() => 'succeeded'));
    expect(new Set(runs.map(({ task_id }) => task_id)).size).toBe(tasks.length);
  });

  it('bring a run that the API started to one of the dispatchers', async () => {
    const [{ db, http }] = services as [TestService];
    const team = await makeTeam(db, (await makeOrganization(db)).id);
    const { key } = await makeApiKey(db, team.org_id);
    const agent = await makeAgent(db, team, { runtime: 'command', runtime_config: { command: 'ok' } });
    const started = await http
      .post(`/api/v1/agents/${agent.id}/run`)
      .set('X-API-Key', key)
      .send({ prompt: 'Go' })
      .expect(200);
    const run = await until(
      () => db.getRepository(AgentRun).findOneBy({ id: started.body.run_id, status: 'succeeded' }),
      'the run to succeed',
    );
    const dispatchers = services.slice(1).map((service) => service.app.get(Dispatcher, { strict: false }).id);
    expect(dispatchers).toContain(run.dispatcher);
  });
});
