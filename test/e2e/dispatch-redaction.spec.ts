import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { RunLifecycle } from '../../src/modules/dispatch/run-lifecycle.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

const MARK = 'hunter2';
const GONE = '(deleted on GitHub)';

describe('an issue that is deleted', () => {
  let service: TestService;
  let directory: string;
  let team: { id: string; org_id: string };
  let key: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'redaction-'));
    const shell = (script: string): object => ({ argv: ['/bin/sh', '-c', script] });
    writeFileSync(
      join(directory, 'commands.json'),
      JSON.stringify({
        cat: shell('cat'),
        wait: shell(`cat; touch ${directory}/read; exec sleep 600`),
      }),
    );
    service = await startTestService({
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: 1,
    });
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const setUp = async (values: Partial<Agent>): Promise<{ hook: TestWebhook; agent: Agent }> => {
    const org = await makeOrganization(service.db);
    team = await makeTeam(service.db, org.id);
    ({ key } = await makeApiKey(service.db, org.id));
    const agent = await makeAgent(service.db, team, values);
    const config = { lifecycle: 'sync', auto_assign: true };
    const hook = await makeWebhook(service, key, {
      org_id: org.id,
      team_id: team.id,
      events: ['issues.*'],
      config,
    });
    return { hook, agent };
  };
  const open = async (hook: TestWebhook): Promise<{ task_id: number; remove: () => Promise<void> }> => {
    const payload = issueOpened({
      title: `The password is ${MARK}`,
      body: `Really ${MARK}`,
      labels: [{ name: MARK }],
    });
    const { body } = await deliver(service, hook, 'issues', payload).expect(200);
    return {
      task_id: body.task_id,
      remove: async () => {
        const answer = await deliver(service, hook, 'issues', { ...payload, action: 'deleted' }).expect(200);
        expect(answer.body.actions).toContain(`redacted task #${body.task_id}`);
      },
    };
  };
  const runOf = (task_id: number, status: AgentRun['status']): Promise<AgentRun> =>
    until(
      () => service.db.getRepository(AgentRun).findOneBy({ task_id, status }),
      `a run of task ${task_id} to be ${status}`,
      30_000,
    );
  const everything = async (task_id: number): Promise<string> =>
    JSON.stringify(
      await Promise.all(
        [
          'tasks t WHERE t.id = $1',
          'agent_runs t WHERE t.task_id = $1',
          'task_events t WHERE t.task_id = $1',
          'messages t WHERE t.task_id = $1',
          'task_sources t WHERE t.task_id = $1',
        ].map((from) => service.db.query(`SELECT * FROM ${from}`, [task_id])),
      ),
    );

  it('leaves nothing of its text in a run that is over, which itself stays', async () => {
    const { hook } = await setUp({ runtime: 'command', runtime_config: { command: 'cat' } });
    const { task_id, remove } = await open(hook);
    const before = await runOf(task_id, 'succeeded');
    expect(before.output).toContain(MARK);
    await remove();
    expect(await everything(task_id)).not.toContain(MARK);
    const run = await runOf(task_id, 'succeeded');
    expect(run).toMatchObject({ id: before.id, prompt: GONE, output: GONE, exit_code: 0, summary: null });
    const task = await service.db.getRepository(Task).findOneByOrFail({ id: task_id });
    expect(task).toMatchObject({ status: 'cancelled', branch: `task-${task_id}` });
  });

  it('leaves nothing in a run that is still at work and stopped by it', async () => {
    const { hook } = await setUp({ runtime: 'command', runtime_config: { command: 'wait' } });
    const { task_id, remove } = await open(hook);
    await runOf(task_id, 'running');
    await until(() => existsSync(join(directory, 'read')), 'the program to have read its prompt', 30_000);
    await remove();
    const run = await runOf(task_id, 'cancelled');
    expect(run).toMatchObject({ prompt: GONE, output: GONE });
    expect(await everything(task_id)).not.toContain(MARK);
  });

  it('is not told to an agent that had been chosen but had not begun', async () => {
    const { hook, agent } = await setUp({ runtime: 'pull' });
    const { task_id, remove } = await open(hook);
    const lifecycle = service.app.get(RunLifecycle, { strict: false });
    const claimed = await lifecycle.claim({ team_id: team.id, agent_id: agent.id, dispatcher: 'test' });
    const ref = { id: claimed!.run_id, fencing_token: claimed!.fencing_token };
    await remove();
    expect(await lifecycle.keepPrompt(ref, MARK, [])).toBe(false);
    await lifecycle.finish(ref, { status: 'cancelled', summary: MARK });
    expect(await everything(task_id)).not.toContain(MARK);
    await expect(lifecycle.keepPrompt(ref, MARK, [])).rejects.toMatchObject({ code: 'run_not_current' });
  });
});
