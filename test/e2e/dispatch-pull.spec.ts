import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { PullWork } from '../../src/modules/dispatch/pull-work.js';
import { Message } from '../../src/modules/tasks/message.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/tasks.facade.js';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('an agent that asks for work', () => {
  let service: TestService;
  let team: { id: string; org_id: string };
  let agent: Agent;
  let key: string;
  let operator: string;

  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_RUN_LEASE_SECONDS: 3, ENTOURAGE_POLL_SECONDS: 60 });
  });
  beforeEach(async () => {
    const org = await makeOrganization(service.db);
    team = await makeTeam(service.db, org.id);
    agent = await makeAgent(service.db, team, { runtime: 'pull' });
    ({ key } = await makeApiKey(service.db, org.id, ['agent'], { agent_id: agent.id }));
    operator = (await makeApiKey(service.db, org.id)).key;
  });
  afterAll(() => service.close());

  const post = (path: string, body: object = {}, as = key) =>
    service.http.post(`/api/v1${path}`).set('X-API-Key', as).send(body);
  const claim = (wait_seconds = 0) => post(`/agents/${agent.id}/claim`, { wait_seconds });
  const task = (values: Partial<Task> = {}): Promise<Task> =>
    makeTask(service.db, team, { assignee_id: agent.id, ...values });
  const row = (id: number): Promise<Task> => service.db.getRepository(Task).findOneByOrFail({ id });
  const waiters = (): number => service.app.get(PullWork, { strict: false }).waiters;
  const statusOf = async (): Promise<string> =>
    (await service.db.getRepository(Agent).findOneByOrFail({ id: agent.id })).status;

  it('is given its most urgent task, reports and finishes it', async () => {
    await task({ priority: 'low' });
    const urgent = await task({ priority: 'high', title: 'Urgent' });
    const { run } = (await claim().expect(200)).body;
    expect(run).toMatchObject({
      attempt: 1,
      lease_seconds: 3,
      task: { id: urgent.id, title: 'Urgent', priority: 'high' },
    });
    expect(run.prompt).toContain('Title: Urgent');
    expect((await claim().expect(200)).body).toEqual({ run: null });
    const { fencing_token } = run;
    expect(
      (await post(`/runs/${run.id}/heartbeat`, { fencing_token, progress: 'half way' }).expect(200)).body,
    ).toEqual({
      lease_seconds: 3,
      cancel_requested: false,
      cancel_reason: null,
    });
    const seen = await service.http.get(`/api/v1/runs/${run.id}`).set('X-API-Key', operator).expect(200);
    expect(seen.body).toMatchObject({ status: 'running', summary: 'half way' });
    const done = await post(`/runs/${run.id}/finish`, {
      fencing_token,
      status: 'succeeded',
      summary: 'all',
      output: 'o',
    }).expect(200);
    expect(done.body).toMatchObject({ status: 'succeeded', summary: 'all', output: 'o' });
    expect((await row(urgent.id)).status).toBe('in_review');
    expect(await statusOf()).toBe('idle');
    expect(
      (await post(`/runs/${run.id}/finish`, { fencing_token, status: 'failed' }).expect(409)).body.code,
    ).toBe('run_not_current');
  });

  it('waits for work, and is woken when there is some', async () => {
    const answer = claim(20).then(({ body }) => body);
    await until(() => waiters() === 1, 'the call to wait');
    const { id } = await task();
    expect((await answer).run.task.id).toBe(id);
  });

  it('answers with nothing at the end of the wait', async () => {
    const began = performance.now();
    expect((await claim(0.3).expect(200)).body).toEqual({ run: null });
    expect(performance.now() - began).toBeGreaterThan(290);
    await claim(31).expect(422);
  });

  it('is given nothing once it has gone away', async () => {
    const url = new URL(`/api/v1/agents/${agent.id}/claim`, service.url);
    const body = JSON.stringify({ wait_seconds: 20 });
    const call = request(url, {
      method: 'POST',
      headers: {
        'x-api-key': key,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    call.on('error', () => undefined);
    call.end(body);
    await until(() => waiters() === 1, 'the call to wait');
    call.destroy();
    await until(() => waiters() === 0, 'the service to notice');
    const { id } = await task();
    const { run } = (await claim().expect(200)).body;
    expect(run.task.id).toBe(id);
    expect(await service.db.getRepository(AgentRun).countBy({ task_id: id })).toBe(1);
  });

  it('has lost its run when its lease is over', async () => {
    const { id } = await task();
    const { run } = (await claim().expect(200)).body;
    await until(async () => (await row(id)).status === 'todo', 'the lease to be over', 10_000);
    for (const [path, body] of [
      ['heartbeat', {}],
      ['finish', { status: 'succeeded' }],
    ] as const)
      expect(
        (await post(`/runs/${run.id}/${path}`, { fencing_token: run.fencing_token, ...body }).expect(409))
          .body.code,
      ).toBe('run_not_current');
    expect(await row(id)).toMatchObject({ status: 'todo', failed_runs: 1 });
    const again = (await claim(10).expect(200)).body.run;
    expect(again.fencing_token).toBeGreaterThan(run.fencing_token);
    expect(again.attempt).toBe(2);
    await post(`/runs/${again.id}/heartbeat`, { fencing_token: run.fencing_token }).expect(409);
    await post(`/runs/${again.id}/finish`, {
      fencing_token: again.fencing_token,
      status: 'succeeded',
    }).expect(200);
  });

  it('learns in the heartbeat that it should stop', async () => {
    const { id } = await task();
    const { run } = (await claim().expect(200)).body;
    await service.db.transaction((manager) =>
      service.app
        .get(TaskTransitions, { strict: false })
        .transition(manager, { task_id: id, to: 'cancelled', actor: { type: 'user', id: 'someone' } }),
    );
    const heard = await post(`/runs/${run.id}/heartbeat`, { fencing_token: run.fencing_token }).expect(200);
    expect(heard.body).toMatchObject({ cancel_requested: true, cancel_reason: 'task_cancelled' });
    await post(`/runs/${run.id}/finish`, {
      fencing_token: run.fencing_token,
      status: 'failed',
      error: 'stopped',
    }).expect(200);
    expect(await row(id)).toMatchObject({ status: 'cancelled', failed_runs: 0 });
  });

  it('does not stop its run by moving the task itself', async () => {
    const { id } = await task();
    const { run } = (await claim().expect(200)).body;
    await service.db.transaction((manager) =>
      service.app
        .get(TaskTransitions, { strict: false })
        .transition(manager, { task_id: id, to: 'in_review', actor: { type: 'agent', id: agent.id } }),
    );
    const heard = await post(`/runs/${run.id}/heartbeat`, { fencing_token: run.fencing_token }).expect(200);
    expect(heard.body.cancel_requested).toBe(false);
    await post(`/runs/${run.id}/finish`, { fencing_token: run.fencing_token, status: 'succeeded' }).expect(
      200,
    );
    expect((await row(id)).status).toBe('in_review');
  });

  it('reports a failure, which is tried again; an unread message stays unread', async () => {
    const { id } = await task();
    await service.db.getRepository(Message).save({
      org_id: team.org_id,
      team_id: team.id,
      sender_type: 'user',
      actor: { type: 'user', id: 'u' },
      recipient_id: agent.id,
      recipient_type: 'agent',
      content: 'Read me',
    });
    const { run } = (await claim().expect(200)).body;
    expect(run.prompt).toContain('Read me');
    await post(`/runs/${run.id}/finish`, {
      fencing_token: run.fencing_token,
      status: 'failed',
      error: 'no idea',
    }).expect(200);
    expect(await row(id)).toMatchObject({ status: 'todo', failed_runs: 1, last_error: 'no idea' });
    const again = (await claim().expect(200)).body.run;
    expect(again.prompt).toContain('no idea');
    expect(again.prompt).toContain('Read me');
  });

  it('is started by a person: the run waits for it, with the instruction', async () => {
    const { id } = await task({ assignee_id: null });
    await post(`/agents/${agent.id}/run`, { task_id: id, prompt: 'Now, please' }, operator).expect(200);
    const { run } = (await claim().expect(200)).body;
    expect(run).toMatchObject({ attempt: 1, task: { id } });
    expect(run.prompt).toContain('The person who started this run tells you:\nNow, please');
    expect((await claim().expect(200)).body).toEqual({ run: null });
  });

  it('acts only as itself, and only by its own way', async () => {
    const other = await makeAgent(service.db, team, { runtime: 'pull' });
    await post(`/agents/${other.id}/claim`).expect(403);
    await makeTask(service.db, team, { assignee_id: other.id });
    const { run } = (await post(`/agents/${other.id}/claim`, {}, operator).expect(200)).body;
    await post(`/runs/${run.id}/heartbeat`, { fencing_token: run.fencing_token }).expect(403);
    await post(`/runs/${run.id}/finish`, { fencing_token: run.fencing_token, status: 'succeeded' }).expect(
      403,
    );
    await post(`/runs/${run.id}/cancel`).expect(403);
    await post(`/agents/${agent.id}/run`).expect(403);
    const command = await makeAgent(service.db, team, { runtime: 'command' });
    await post(`/agents/${command.id}/claim`, {}, operator).expect(409);
    await post(`/runs/${run.id}/finish`, { status: 'succeeded' }, operator).expect(422);
  });
});
