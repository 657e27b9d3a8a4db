import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

interface Call {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

describe('an agent behind a URL', () => {
  let allowing: TestService;
  let receiver: Server;
  let url: string;
  let calls: Call[];
  let answer: number;

  beforeAll(async () => {
    allowing = await startTestService({
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'],
      ENTOURAGE_RUN_LEASE_SECONDS: 3,
    });
    receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        calls.push({ headers: request.headers, body: Buffer.concat(chunks) });
        response.writeHead(answer, { location: url }).end('{}');
      });
    });
    await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/work?a=b`;
  });
  beforeEach(() => {
    calls = [];
    answer = 202;
  });
  afterEach(() => allowing.db.query(`UPDATE agents SET status = 'paused'`));
  afterAll(async () => {
    await allowing.close();
    receiver.closeAllConnections();
    await new Promise((done) => receiver.close(done));
  });

  /** Makes the agent through the API, which makes its secret. */
  const setUp = async (service: TestService, runtime_config: object = { url }) => {
    const team = await makeTeam(service.db, (await makeOrganization(service.db)).id);
    const { key } = await makeApiKey(service.db, team.org_id);
    const made = await service.http
      .post(`/api/v1/teams/${team.id}/agents`)
      .set('X-API-Key', key)
      .send({ name: `remote-${randomBytes(4).toString('hex')}`, runtime: 'http', runtime_config })
      .expect(201);
    const task = await makeTask(service.db, team, { title: 'Über work', assignee_id: made.body.id });
    return { key, task, agent_id: made.body.id as string, secret: made.body.runtime_secret as string };
  };
  const callsTo = (agent_id: string): Call[] =>
    calls.filter(({ body }) => JSON.parse(body.toString('utf8')).run.agent_id === agent_id);
  const callTo = (agent_id: string): Promise<Call> => until(() => callsTo(agent_id)[0], 'the call');
  const row = (id: number): Promise<Task> => allowing.db.getRepository(Task).findOneByOrFail({ id });

  it('is called with the signed work, reports and finishes by REST', async () => {
    const { key, task, agent_id, secret } = await setUp(allowing);
    const { headers, body } = await callTo(agent_id);
    expect(headers['x-entourage-signature']).toBe(
      `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    );
    const standardKey = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const signed = Buffer.concat([
      Buffer.from(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`),
      body,
    ]);
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', standardKey).update(signed).digest('base64')}`,
    );
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
    expect(headers).toMatchObject({
      'x-entourage-event': 'run.assigned',
      'content-type': 'application/json',
    });
    const { run, prompt, task: given } = JSON.parse(body.toString('utf8'));
    expect(headers['x-entourage-delivery']).toBe(run.id);
    expect(run).toMatchObject({ agent_id, task_id: task.id, attempt: 1, lease_seconds: 3 });
    expect(given).toMatchObject({ id: task.id, title: 'Über work' });
    expect(prompt).toContain('Title: Über work');
    const post = (path: string, more: object) =>
      allowing.http
        .post(`/api/v1/runs/${run.id}/${path}`)
        .set('X-API-Key', key)
        .send({ fencing_token: run.fencing_token, ...more });
    await post('heartbeat', { progress: 'on it' }).expect(200);
    await post('finish', { status: 'succeeded', summary: 'done' }).expect(200);
    expect((await row(task.id)).status).toBe('in_review');
    expect(callsTo(agent_id).length).toBe(1);
  });

  it('starts in the same attempt though the connection is lost while its prompt is written', async () => {
    const { task, agent_id } = await allowing.db.transaction(async (manager) => {
      // Keeps out the statement that writes the prompt, and nothing before it.
      await manager.query('LOCK TABLE messages IN SHARE MODE');
      const made = await setUp(allowing);
      await until(async () => {
        const cut: unknown[] = await allowing.db.query(
          `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'messages'::regclass AND NOT granted`,
        );
        return cut.length > 0;
      }, 'the statement to wait');
      expect(callsTo(made.agent_id)).toEqual([]);
      return made;
    });
    const { run } = JSON.parse((await callTo(agent_id)).body.toString('utf8'));
    expect(run).toMatchObject({ task_id: task.id, attempt: 1 });
    expect(await row(task.id)).toMatchObject({ status: 'in_progress', failed_runs: 0, last_error: null });
  });

  it.each([500, 404, 302])('is tried again when it answers %i', async (status) => {
    answer = status;
    const { task, agent_id } = await setUp(allowing);
    const held = await until(async () => {
      const found = await row(task.id);
      return found.hold_reason !== null && found;
    }, 'the last attempt');
    expect(held).toMatchObject({
      hold_reason: 'attempts_exhausted',
      last_error: `The agent's URL answered ${status}`,
    });
    expect(callsTo(agent_id).length).toBe(3);
  });

  it('is lost when it never reports', async () => {
    const { task } = await setUp(allowing);
    await until(async () => (await row(task.id)).failed_runs === 1, 'the lease to be over', 12_000);
    expect((await row(task.id)).last_error).toMatch(/no sign of life/);
  });

  it('may not take longer than its time limit, however often it reports', async () => {
    const { key, agent_id } = await setUp(allowing, { url, timeout_seconds: 1 });
    const { body } = await callTo(agent_id);
    const { run } = JSON.parse(body.toString('utf8'));
    const beat = () =>
      allowing.http
        .post(`/api/v1/runs/${run.id}/heartbeat`)
        .set('X-API-Key', key)
        .send({ fencing_token: run.fencing_token });
    await beat().expect(200);
    await until(async () => (await beat()).status === 409, 'the time limit', 5_000);
  });

  it('is not called in a private network that is not allowed', async () => {
    const strict = await startTestService();
    const agents: string[] = [];
    try {
      for (const target of [
        url,
        url.replace('127.0.0.1', 'localhost'),
        'http://169.254.169.254/latest/meta-data',
      ]) {
        const { task, agent_id } = await setUp(strict, { url: target });
        agents.push(agent_id);
        const held = await until(async () => {
          const found = await strict.db.getRepository(Task).findOneByOrFail({ id: task.id });
          return found.hold_reason !== null && found;
        }, 'the last attempt');
        expect(held.last_error).toMatch(/private address/);
      }
      // Another test's task may just be tried again.
      expect(agents.flatMap(callsTo)).toEqual([]);
      expect(await strict.db.getRepository(AgentRun).countBy({ status: 'failed' })).toBe(9);
      expect(await strict.db.getRepository(Agent).countBy({ status: 'working' })).toBe(0);
    } finally {
      await strict.close();
    }
  });
});
