import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { makeWorkspace } from '../factories/accounts.js';
import { makeOutboundWebhook } from '../factories/outbound.js';
import { deliver, makeWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

type Workspace = Awaited<ReturnType<typeof makeWorkspace>>;

describe('notifications', () => {
  let service: TestService;
  let receiver: Receiver;
  let work: Workspace;
  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'] });
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    receiver = await startReceiver();
    work = await makeWorkspace(service.db);
  });
  afterEach(() => receiver.close());

  const hook = (values: Record<string, unknown> = {}) =>
    makeOutboundWebhook(service, work.key, { org_id: work.org.id, url: `${receiver.url}/hook`, ...values });
  const call = async (method: 'get' | 'post' | 'patch' | 'delete', path: string, body?: object) => {
    const answer = await service.http[method](`/api/v1${path}`).set('X-API-Key', work.key).send(body);
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.text}`);
    return answer.body;
  };
  const makeTask = (values: object = {}) =>
    call('post', `/teams/${work.team.id}/tasks`, { title: 'Fix the login', ...values });
  const move = (id: number, status: string) => call('post', `/tasks/${id}/status`, { status });
  const arrived = (count: number): Promise<ReceivedRequest[]> =>
    until(() => receiver.received.length >= count && receiver.received, `${count} notifications`);
  const events = (): string[] => receiver.received.map(({ json }) => json.event);

  it('tells of the whole life of a task, in order, with a sequence', async () => {
    await hook({ events: ['*'] });
    const task = await makeTask({ assignee_id: work.agent.id });
    for (const status of ['in_progress', 'in_review', 'in_approval', 'merging', 'done'])
      await move(task.id, status);
    await arrived(10);
    expect(events()).toEqual([
      'task.created',
      'task.assigned',
      'task.status_changed',
      'task.status_changed',
      'review.requested',
      'task.status_changed',
      'review.verdict',
      'task.status_changed',
      'task.status_changed',
      'task.completed',
    ]);
    expect(receiver.received.map(({ json }) => json.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const { json } = receiver.received[9]!;
    expect(json).toEqual({
      event: 'task.completed',
      task_id: task.id,
      team_id: work.team.id,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      sequence: 10,
      data: expect.objectContaining({
        org_id: work.org.id,
        status: 'done',
        previous_status: 'merging',
        priority: 'medium',
        assignee_id: work.agent.id,
        actor: expect.objectContaining({ type: 'api_key' }),
      }),
    });
    expect(receiver.received[6]!.json.data.verdict).toBe('approve');
  });

  it('tells of reviews by their own events, each once, and the sequence goes on without a gap', async () => {
    await hook({ events: ['*'] });
    const task = await makeTask({ assignee_id: work.agent.id });
    const review = async (verdict: string): Promise<void> => {
      const { id } = await call('post', `/tasks/${task.id}/reviews`, {});
      await call('post', `/reviews/${id}/verdict`, { verdict });
    };
    await move(task.id, 'in_progress');
    await move(task.id, 'in_review');
    await review('reject');
    await review('request_changes');
    await move(task.id, 'in_progress');
    await call('post', `/tasks/${task.id}/reviews`, {});
    await move(task.id, 'in_review');
    await call('post', `/tasks/${task.id}/approve`, {});
    await arrived(14);
    const told = receiver.received.map(({ json }) => [json.event, json.data.verdict ?? json.data.status]);
    expect(told).toEqual([
      ['task.created', 'todo'],
      ['task.assigned', 'todo'],
      ['task.status_changed', 'in_progress'],
      ['task.status_changed', 'in_review'],
      // The move told of it: the first request since then does not tell again.
      ['review.requested', 'in_review'],
      ['review.verdict', 'reject'],
      ['review.requested', 'in_review'],
      ['review.verdict', 'request_changes'],
      ['task.status_changed', 'todo'],
      ['task.status_changed', 'in_progress'],
      // Asked for before the move, which says nothing of it.
      ['review.requested', 'in_progress'],
      ['task.status_changed', 'in_review'],
      ['review.verdict', 'approve'],
      ['task.status_changed', 'in_approval'],
    ]);
    const sequences = receiver.received.map(({ json }) => json.sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  });

  it('signs the exact bytes in both ways, with the headers that receivers look for', async () => {
    const { id, secret } = await hook({ events: ['task.created'], api_key: 'key-of-the-receiver' });
    await makeTask({ title: 'Größe 12 … 🚢' });
    const [{ headers, body }] = (await arrived(1)) as [ReceivedRequest];
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'x-api-key': 'key-of-the-receiver',
      'x-entourage-event': 'task.created',
      'x-entourage-delivery': headers['webhook-id'],
      'x-entourage-attempt': '1',
      'x-entourage-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    });
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(30);
    const given = headers as Record<string, string>;
    expect(new StandardWebhook(secret).verify(body, given)).toMatchObject({ event: 'task.created' });
    expect(new SvixWebhook(secret).verify(body, given)).toMatchObject({ event: 'task.created' });
    expect(() => new StandardWebhook(secret).verify(`${body} `, given)).toThrow();
    const old = { ...given, 'webhook-timestamp': String(Number(given['webhook-timestamp']) - 600) };
    expect(() => new SvixWebhook(secret).verify(body, old)).toThrow();
    const [logged] = await call('get', `/outbound-webhooks/${id}/deliveries`);
    expect(logged).toMatchObject({ id: headers['webhook-id'], event: 'task.created', webhook_id: id });
  });

  it('sends what is subscribed to, of the team that is named', async () => {
    const other = await call('post', `/orgs/${work.org.id}/teams`, { name: 'Other', slug: 'other' });
    await hook({ events: ['task.cancelled'], team_id: work.team.id });
    const elsewhere = await call('post', `/teams/${other.id}/tasks`, { title: 'Elsewhere' });
    await move(elsewhere.id, 'cancelled');
    const task = await makeTask();
    await move(task.id, 'cancelled');
    await arrived(1);
    expect(receiver.received.map(({ json }) => [json.event, json.task_id])).toEqual([
      ['task.cancelled', task.id],
    ]);
  });

  it('tells of what an issue and its agent did: claimed by SQL, told all the same', async () => {
    await hook({
      events: ['task.created', 'task.assigned', 'task.status_changed', 'run.started', 'run.finished'],
    });
    const inbound = await makeWebhook(service, work.key, {
      org_id: work.org.id,
      team_id: work.team.id,
      config: { auto_assign: true },
    });
    const { body } = await deliver(service, inbound, 'issues', issueOpened()).expect(200);
    const { run } = await call('post', `/agents/${work.agent.id}/claim`, { wait_seconds: 5 });
    await call('post', `/runs/${run.id}/finish`, { fencing_token: run.fencing_token, status: 'succeeded' });
    await arrived(6);
    expect(events()).toEqual([
      'task.created',
      'task.assigned',
      'task.status_changed',
      'run.started',
      'run.finished',
      'task.status_changed',
    ]);
    const [created, , , started, finished] = receiver.received.map(({ json }) => json);
    expect(created).toMatchObject({
      task_id: body.task_id,
      data: { source: { kind: 'issue', number: expect.any(Number) }, actor: { type: 'github' } },
    });
    expect(started.data.run).toMatchObject({ id: run.id, agent_id: work.agent.id, attempt: 1 });
    expect(finished.data.run).toMatchObject({ id: run.id, status: 'succeeded' });
    expect(new Set(receiver.received.map(({ json }) => json.data.correlation_id)).size).toBe(1);
  });
});
