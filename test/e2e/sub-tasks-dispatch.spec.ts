import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { PullWork } from '../../src/modules/dispatch/pull-work.js';
import { Task, type TaskStatus } from '../../src/modules/tasks/task.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/tasks.facade.js';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

/** So long that nothing here happens by polling. */
const POLL_SECONDS = 600;

describe('sub-tasks at work', () => {
  let service: TestService;
  let directory: string;
  let team: { id: string; org_id: string };
  let key: string;
  let manager: Agent;
  let managerKey: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sub-tasks-'));
    writeFileSync(
      join(directory, 'commands.json'),
      JSON.stringify({
        cat: { argv: ['/bin/sh', '-c', 'cat'] },
        sleep: { argv: ['/bin/sh', '-c', 'sleep 600'] },
      }),
    );
    service = await startTestService({
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_POLL_SECONDS: POLL_SECONDS,
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: 1,
    });
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    const org = await makeOrganization(service.db);
    team = await makeTeam(service.db, org.id);
    ({ key } = await makeApiKey(service.db, org.id));
    manager = await makeAgent(service.db, team, { runtime: 'pull', role: 'manager' });
    managerKey = (await makeApiKey(service.db, org.id, ['agent'], { agent_id: manager.id })).key;
  });

  const post = (path: string, body: object = {}, by = key) =>
    service.http.post(`/api/v1${path}`).set('X-API-Key', by).send(body);
  const claim = async (agent = manager, wait_seconds = 0) =>
    (await post(`/agents/${agent.id}/claim`, { wait_seconds }).expect(200)).body.run;
  const finish = (run: { id: string; fencing_token: number }, status = 'succeeded') =>
    post(`/runs/${run.id}/finish`, { fencing_token: run.fencing_token, status });
  const decompose = async (id: number, subtasks: object[]): Promise<number[]> =>
    (await post(`/tasks/${id}/decompose`, { subtasks }, managerKey).expect(201)).body.map(
      (task: Task) => task.id,
    );
  const row = (id: number): Promise<Task> => service.db.getRepository(Task).findOneByOrFail({ id });
  const reaches = (id: number, status: TaskStatus): Promise<unknown> =>
    until(async () => (await row(id)).status === status, `task ${id} to be ${status}`);
  const finishTask = async (id: number): Promise<void> => {
    for (const status of ['in_approval', 'merging', 'done'])
      await post(`/tasks/${id}/status`, { status }).expect(200);
  };
  /** A parent that its manager has divided and is still at work on. */
  const divided = async (subtasks: object[] = [{ title: 'only' }]) => {
    const parent = await makeTask(service.db, team, { assignee_id: manager.id });
    const run = await claim();
    expect(run.task.id).toBe(parent.id);
    return { parent, run, ids: await decompose(parent.id, subtasks) };
  };

  it('start at once when the last dependency is done, and close their parent', async () => {
    const engineers = ['one', 'two'].map((name) =>
      makeAgent(service.db, team, { name, runtime: 'command', runtime_config: { command: 'cat' } }),
    );
    await Promise.all(engineers);
    const { parent, run, ids } = await divided([
      { title: 'first', agent: 'one' },
      { title: 'second', role: 'engineer' },
      { title: 'last', role: 'engineer', depends_on_indices: [0, 1] },
    ]);
    await finish(run).expect(200);
    expect(await row(parent.id)).toMatchObject({ status: 'in_progress', failed_runs: 0 });
    expect((await service.db.getRepository(Agent).findOneByOrFail({ id: manager.id })).status).toBe('idle');
    expect(await claim()).toBeNull();
    const [first, second, last] = ids as [number, number, number];
    await Promise.all([reaches(first, 'in_review'), reaches(second, 'in_review')]);
    await finishTask(first);
    expect((await row(last)).status).toBe('todo');
    await finishTask(second);
    await reaches(last, 'in_review');
    await finishTask(last);
    expect((await row(parent.id)).status).toBe('done');
    expect(await service.db.getRepository(AgentRun).countBy({ task_id: parent.id })).toBe(1);
  });

  it('wake an agent that waits for work by long polling', async () => {
    const engineer = await makeAgent(service.db, team, { runtime: 'pull' });
    const { run, ids } = await divided([
      { title: 'first' },
      { title: 'second', assignee_id: engineer.id, depends_on_indices: [0], on_cancel: 'skip' },
    ]);
    await finish(run).expect(200);
    const answer = claim(engineer, 25);
    await until(() => service.app.get(PullWork, { strict: false }).waiters === 1, 'the call to wait');
    await post(`/tasks/${ids[0]}/status`, { status: 'cancelled' }).expect(200);
    expect((await answer).task.id).toBe(ids[1]);
  });

  it.each(['succeeded', 'failed'])(
    'that are done during the run of their parent close it at its end, %s',
    async (end) => {
      const { parent, run, ids } = await divided();
      await post(`/tasks/${ids[0]}/status`, { status: 'in_progress' }).expect(200);
      await post(`/tasks/${ids[0]}/status`, { status: 'in_review' }).expect(200);
      await finishTask(ids[0]!);
      expect((await row(parent.id)).status).toBe('in_progress');
      await finish(run, end).expect(200);
      expect((await row(parent.id)).status).toBe('done');
    },
  );

  it('keep their parent from being tried again after a failed run', async () => {
    const { parent, run, ids } = await divided();
    await finish(run, 'failed').expect(200);
    expect(await row(parent.id)).toMatchObject({ status: 'todo', failed_runs: 1 });
    expect(await claim()).toBeNull();
    await post(`/tasks/${ids[0]}/status`, { status: 'cancelled' }).expect(200);
    expect(await row(parent.id)).toMatchObject({ status: 'todo', hold_reason: 'subtasks_gone' });
    expect(await claim()).toBeNull();
    await post(`/tasks/${parent.id}/release`).expect(200);
    expect((await claim()).task.id).toBe(parent.id);
  });

  it('that were all cancelled leave the work of the run itself to review', async () => {
    const { parent, run, ids } = await divided();
    await post(`/tasks/${ids[0]}/status`, { status: 'cancelled' }).expect(200);
    expect((await row(parent.id)).status).toBe('in_progress');
    await finish(run).expect(200);
    expect((await row(parent.id)).status).toBe('in_review');
  });

  it('of an earlier life of a parent do not close it', async () => {
    const { parent, run, ids } = await divided();
    await finish(run).expect(200);
    await service.db.getRepository(Task).update(ids[0]!, { status: 'in_review' });
    await finishTask(ids[0]!);
    expect((await row(parent.id)).status).toBe('done');
    await service.app
      .get(TaskTransitions, { strict: false })
      .reopen(service.db.manager, { task_id: parent.id, actor: { type: 'github', id: 'ada' } });
    const again = await claim();
    expect(again.task.id).toBe(parent.id);
    await finish(again).expect(200);
    expect((await row(parent.id)).status).toBe('in_review');
  });

  it('are stopped, running ones too, when their parent is cancelled', async () => {
    await makeAgent(service.db, team, {
      name: 'sleeper',
      runtime: 'command',
      runtime_config: { command: 'sleep' },
    });
    const puller = await makeAgent(service.db, team, { name: 'puller', runtime: 'pull' });
    const { parent, run, ids } = await divided([
      { title: 'sleeps', agent: 'sleeper' },
      { title: 'pulls', agent: 'puller' },
      { title: 'waits', role: 'reviewer' },
    ]);
    await reaches(ids[0]!, 'in_progress');
    const pulled = await claim(puller);
    await post(`/tasks/${parent.id}/status`, { status: 'cancelled' }).expect(200);
    for (const id of ids) expect((await row(id)).status).toBe('cancelled');
    for (const { id, fencing_token } of [run, pulled])
      expect((await post(`/runs/${id}/heartbeat`, { fencing_token }).expect(200)).body).toMatchObject({
        cancel_requested: true,
        cancel_reason: 'task_cancelled',
      });
    const runs = service.db.getRepository(AgentRun);
    await until(
      async () => (await runs.findOneByOrFail({ task_id: ids[0]! })).status === 'cancelled',
      'the program to be stopped',
    );
  });

  it('and the run of their parent end at the same instant, and close it once', async () => {
    for (let round = 0; round < 15; round += 1) {
      const { parent, run, ids } = await divided();
      await service.db.getRepository(Task).update(ids[0]!, { status: 'merging' });
      const answers = await Promise.all([finish(run), post(`/tasks/${ids[0]}/status`, { status: 'done' })]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect((await row(parent.id)).status).toBe('done');
      const [{ closed }] = await service.db.query(
        `SELECT count(*)::int AS closed FROM task_events WHERE task_id = $1 AND data->>'reason' = 'subtasks_done'`,
        [parent.id],
      );
      expect(closed).toBe(1);
    }
  });

  it('are made while their parent is claimed: it is divided or worked on, and never both unseen', async () => {
    for (let round = 0; round < 20; round += 1) {
      const parent = await makeTask(service.db, team, { assignee_id: manager.id });
      const [run, ids] = await Promise.all([claim(), decompose(parent.id, [{ title: 'x' }])]);
      if (run === null) {
        expect((await row(parent.id)).status).toBe('todo');
        expect(await claim()).toBeNull();
      } else await finish(run).expect(200);
      await post(`/tasks/${parent.id}/status`, { status: 'cancelled' }).expect(200);
      expect((await row(ids[0]!)).status).toBe('cancelled');
    }
  });
});
