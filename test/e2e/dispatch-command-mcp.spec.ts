import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ApiKey } from '../../src/modules/auth/api-key.entity.js';
import { AgentRun, type RunStatus } from '../../src/modules/dispatch/agent-run.entity.js';
import { TaskContext } from '../../src/modules/tasks/task-context.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { withKey } from '../support/login.js';
import { McpClient } from '../support/mcp-client.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

/** The variables of a run, as a program saved them. */
type Env = Record<string, string>;

describe('a command that works through MCP', () => {
  let service: TestService;
  let directory: string;
  let team: { id: string; org_id: string };
  let owner: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'command-mcp-'));
    const saves = `env > ${directory}/env.new; mv ${directory}/env.new ${directory}/env`;
    const shell = (script: string): object => ({ argv: ['/bin/sh', '-c', script] });
    writeFileSync(
      join(directory, 'commands.json'),
      JSON.stringify({
        'mcp-agent': shell(`${saves}; exec ${process.execPath} ${resolve('examples/agents/mcp-agent.mjs')}`),
        wait: shell(
          `${saves}; while [ ! -e ${directory}/go ]; do sleep 0.02; done; echo "$ENTOURAGE_API_KEY"; env`,
        ),
        hang: shell(`${saves}; exec sleep 600`),
        fail: shell(`${saves}; exit 3`),
      }),
    );
    service = await startTestService({
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_POLL_SECONDS: 60,
      ENTOURAGE_RUN_LEASE_SECONDS: 20,
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: 1,
      ENTOURAGE_RUN_MAX_ATTEMPTS: 1,
    });
  });
  beforeEach(async () => {
    for (const name of ['env', 'go']) rmSync(join(directory, name), { force: true });
    const org = await makeOrganization(service.db);
    team = await makeTeam(service.db, org.id);
    owner = (await makeApiKey(service.db, org.id)).key;
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (command: string): Promise<{ agent: Agent; task_id: number; env: Env }> => {
    const agent = await makeAgent(service.db, team, { runtime: 'command', runtime_config: { command } });
    const { id } = await makeTask(service.db, team, { auto_assign: true, title: 'A loose wire' });
    const path = join(directory, 'env');
    await until(() => existsSync(path), 'the program to have started');
    const lines = readFileSync(path, 'utf8').split('\n');
    const env = Object.fromEntries(
      lines.map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]),
    );
    return { agent, task_id: id, env };
  };
  const runIs = (task_id: number, status: RunStatus): Promise<AgentRun> =>
    until(
      () => service.db.getRepository(AgentRun).findOneBy({ task_id, status }),
      `a run of task ${task_id} to be ${status}`,
    );
  const me = (key: string) => service.http.get('/api/v1/auth/me').set(withKey(key));
  const keysOf = (agent: Agent): Promise<number> =>
    service.db.getRepository(ApiKey).countBy({ agent_id: agent.id });
  const isDead = async (key: string): Promise<void> => {
    expect((await me(key)).body.code).toBe('invalid_api_key');
    await expect(McpClient.connect(service.url, withKey(key))).rejects.toThrow(/401|invalid_api_key/);
  };

  it('reads its task, keeps a note, reports and ends its own run; then its key is dead', async () => {
    const { agent, task_id, env } = await start('mcp-agent');
    const run = await runIs(task_id, 'succeeded');
    expect(run).toMatchObject({ agent_id: agent.id, summary: 'Mended: A loose wire' });
    expect(await service.db.getRepository(TaskContext).findOneBy({ task_id, key: 'plan' })).toMatchObject({
      value: { value: { steps: ['look', 'mend', 'test'] } },
    });
    expect((await service.db.getRepository(Task).findOneByOrFail({ id: task_id })).status).toBe('in_review');
    expect(env['ENTOURAGE_MCP_URL']).toBe(`${service.url}/mcp`);
    expect(env['ENTOURAGE_API_URL']).toBe(service.url);
    await isDead(env['ENTOURAGE_API_KEY']!);
    expect(await keysOf(agent)).toBe(0);
    const events = await service.db.query<{ actor: string }[]>(
      `SELECT metadata->'actor'->>'id' AS actor FROM task_events WHERE task_id = $1 AND type = 'run.succeeded'`,
      [task_id],
    );
    expect(events).toEqual([{ actor: agent.id }]);
  });

  it('has a key of its agent, known to nobody else and good for as long as the run may last', async () => {
    const { agent, task_id, env } = await start('wait');
    const key = env['ENTOURAGE_API_KEY']!;
    expect((await me(key).expect(200)).body).toMatchObject({
      agent_id: agent.id,
      team_id: team.id,
      scopes: ['agent'],
    });
    const row = await service.db.getRepository(ApiKey).findOneByOrFail({ agent_id: agent.id });
    expect(row.expires_at!.getTime() - Date.now()).toBeGreaterThan(3_600_000);
    expect(row.expires_at!.getTime() - Date.now()).toBeLessThan(3_700_000);
    expect(JSON.stringify(row)).not.toContain(key);
    const listed = await service.http
      .get(`/api/v1/auth/orgs/${team.org_id}/api-keys`)
      .set(withKey(owner))
      .expect(200);
    expect(listed.body.map(({ id }: { id: string }) => id)).not.toContain(row.id);
    await service.http.delete(`/api/v1/auth/api-keys/${row.id}`).set(withKey(owner)).expect(404);
    writeFileSync(join(directory, 'go'), '');
    const run = await runIs(task_id, 'succeeded');
    expect(run.output).toContain(`ENTOURAGE_API_KEY=${'*'.repeat(key.length)}`);
    expect(JSON.stringify(run)).not.toContain(key);
    await isDead(key);
  });

  it.each(['fail', 'hang'])('has no key any more after "%s", however its run ended', async (command) => {
    const { agent, task_id, env } = await start(command);
    if (command === 'hang') {
      const { id } = await runIs(task_id, 'running');
      await service.http.post(`/api/v1/runs/${id}/cancel`).set(withKey(owner)).expect(200);
    }
    await runIs(task_id, command === 'hang' ? 'cancelled' : 'failed');
    await isDead(env['ENTOURAGE_API_KEY']!);
    expect(await keysOf(agent)).toBe(0);
  });
});
