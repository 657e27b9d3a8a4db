import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSource } from 'typeorm';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { TEST_SETTINGS } from '../support/service.js';
import { until } from '../support/until.js';

const alive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

/**
 * The program writes its begin and end, waits for the file `go`, and leaves a child in its process group and one in a
 * session of its own.
 */
const program = (directory: string): string => `
  cd ${directory}
  echo "begin $ENTOURAGE_ATTEMPT $$" >> log
  sleep 600 & echo "child $ENTOURAGE_ATTEMPT $!" >> log
  setsid sh -c 'echo "child $ENTOURAGE_ATTEMPT $$" >> log; sleep 600' &
  while [ ! -e go ]; do sleep 0.02; done
  echo "end $ENTOURAGE_ATTEMPT $$" >> log
  echo finished`;

describe('a dispatcher that ends while an agent works', () => {
  let database: TestDatabase;
  let db: DataSource;
  let directory: string;
  const services: ChildService[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
  });
  afterAll(async () => {
    for (const service of services) service.signal('SIGKILL');
    await Promise.all(services.map((service) => service.exited));
    await db.destroy();
    await database.drop();
  });

  const start = async (): Promise<ChildService> => {
    const service = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_RUN_LEASE_SECONDS: '2',
      ENTOURAGE_RUN_BACKOFF_SECONDS: '0',
      ENTOURAGE_POLL_SECONDS: '0.5',
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: '1',
      ENTOURAGE_LOG_LEVEL: 'warn',
    });
    services.push(service);
    await service.ready();
    return service;
  };
  const log = (): [string, number, number][] =>
    (existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8') : '')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [what = '', attempt, pid] = line.split(' ');
        return [what, Number(attempt), Number(pid)];
      });
  const family = (attempt: number): Promise<number[]> =>
    until(() => {
      const pids = log().flatMap(([, of, pid]) => (of === attempt ? [pid] : []));
      return pids.length >= 3 && pids;
    }, `the processes of attempt ${attempt}`);
  const setUp = async (): Promise<{ agent: Agent; task: Task }> => {
    directory = mkdtempSync(join(tmpdir(), 'dispatch-crash-'));
    writeFileSync(
      join(directory, 'commands.json'),
      JSON.stringify({ work: { argv: ['/bin/sh', '-c', program(directory)] } }),
    );
    const team = await makeTeam(db, (await makeOrganization(db)).id);
    const agent = await makeAgent(db, team, { runtime: 'command', runtime_config: { command: 'work' } });
    return { agent, task: await makeTask(db, team, { assignee_id: agent.id }) };
  };
  const reaches = (id: number, status: string): Promise<Task> =>
    until(
      async () => {
        const found = await db.getRepository(Task).findOneByOrFail({ id });
        return found.status === status && found;
      },
      `task ${id} to be ${status}`,
      20_000,
    );
  const runs = (task_id: number): Promise<AgentRun[]> =>
    db.getRepository(AgentRun).find({ where: { task_id }, order: { attempt: 'ASC' } });

  it('takes the whole family of its program with it by kill -9; the task is worked on again, by one at a time', async () => {
    const { agent, task } = await setUp();
    const first = await start();
    const killed = await family(1);
    first.signal('SIGKILL');
    await first.exited;
    await until(() => !killed.some(alive), 'the end of every process of the first run', 1_500);
    const second = await start();
    const retried = await family(2);
    expect(killed.some(alive)).toBe(false);
    writeFileSync(join(directory, 'go'), '');
    expect(await reaches(task.id, 'in_review')).toMatchObject({ failed_runs: 0 });
    expect((await runs(task.id)).map(({ status }) => status)).toEqual(['expired', 'succeeded']);
    expect(
      log()
        .filter(([what]) => what !== 'child')
        .map(([what, attempt]) => `${what} ${attempt}`),
    ).toEqual(['begin 1', 'begin 2', 'end 2']);
    await until(() => !retried.some(alive), 'nothing to be left of the second run');
    expect((await db.getRepository(Agent).findOneByOrFail({ id: agent.id })).status).toBe('idle');
    await second.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('takes it along as well when it hangs, before the lease is over', async () => {
    const { task } = await setUp();
    const first = await start();
    const pids = await family(1);
    first.signal('SIGSTOP');
    await until(() => !pids.some(alive), 'the end of every process', 4_000);
    expect((await runs(task.id)).map(({ status }) => status)).toEqual(['running']);
    first.signal('SIGKILL');
    await first.exited;
    rmSync(directory, { recursive: true, force: true });
    await db.getRepository(AgentRun).delete({ task_id: task.id });
    await db.getRepository(Task).update(task.id, { status: 'cancelled' });
  });

  it('gives the task back when it is shut down, which is no failure', async () => {
    const { task } = await setUp();
    const first = await start();
    const pids = await family(1);
    expect(await first.stop()).toMatchObject({ code: 0 });
    expect(pids.some(alive)).toBe(false);
    expect(await reaches(task.id, 'todo')).toMatchObject({
      failed_runs: 0,
      hold_reason: null,
      dispatch_after: null,
    });
    expect((await runs(task.id)).map(({ status, cancel_reason }) => [status, cancel_reason])).toEqual([
      ['cancelled', 'shutdown'],
    ]);
    writeFileSync(join(directory, 'go'), '');
    const second = await start();
    await reaches(task.id, 'in_review');
    expect((await runs(task.id)).map(({ status }) => status)).toEqual(['cancelled', 'succeeded']);
    await second.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('does not start with a wrong commands file, and says what is wrong', async () => {
    await setUp();
    writeFileSync(join(directory, 'commands.json'), '{"work": {"argv": "rm -rf /"}}');
    await expect(start()).rejects.toThrow(/ENTOURAGE_COMMANDS_FILE: command "work": "argv" must be an array/);
    rmSync(directory, { recursive: true, force: true });
  });
});
