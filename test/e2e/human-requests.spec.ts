import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AnswerWaits } from '../../src/modules/human-requests/answer-waits.js';
import { HumanRequest } from '../../src/modules/human-requests/human-request.entity.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { caller, makeReviewTeam, type ReviewTeam } from '../factories/reviews.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('human requests', () => {
  let service: TestService;
  let call: ReturnType<typeof caller>;
  let crew: ReviewTeam;
  beforeAll(async () => {
    // Nothing here may wait for a poll.
    service = await startTestService({ ENTOURAGE_POLL_SECONDS: 3600, ENTOURAGE_DB_POOL_SIZE: 25 });
    call = caller(service);
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    crew = await makeReviewTeam(service.db);
  });

  const question = (values: object = {}) => ({
    agent_id: crew.engineer.id,
    team_id: crew.team.id,
    kind: 'question',
    question: 'Red or blue?',
    ...values,
  });
  const ask = async (values: object = {}): Promise<{ id: number }> =>
    (await call('post', '/human-requests', crew.as.engineer, question(values)).expect(201)).body;
  const respond = (id: number, response: string, as = crew.as.person) =>
    call('post', `/human-requests/${id}/respond`, as, { response });
  const wait = (id: number) => call('get', `/human-requests/${id}?wait_seconds=20`, crew.as.engineer);
  const waiters = (): number => service.app.get(AnswerWaits, { strict: false }).waiters;

  it('asks, and is answered by a person: known by the task, in the inbox, in the next prompt', async () => {
    const task = await crew.task({ status: 'todo' });
    const asked = await ask({ task_id: task.id, options: ['red', 'blue'] });
    expect(asked).toEqual({
      id: expect.any(Number),
      ...question(),
      task_id: task.id,
      options: ['red', 'blue'],
      status: 'pending',
      response: null,
      responded_by: null,
      timeout_at: null,
      created_at: expect.any(String),
      resolved_at: null,
    });
    const status = (await call('get', `/teams/${crew.team.id}/dispatch-status`, crew.as.key).expect(200))
      .body;
    expect(status.human_requests).toEqual([
      expect.objectContaining({
        id: asked.id,
        task_id: task.id,
        agent_name: 'grace',
        question: 'Red or blue?',
      }),
    ]);
    const refused = await respond(asked.id, 'green').expect(422);
    expect(refused.body.errors[0].message).toBe('response must be one of: red, blue');
    const answered = await call('post', `/human-requests/${asked.id}/respond`, crew.as.person, {
      response: 'blue',
      responded_by: 'somebody else',
    }).expect(200);
    expect(answered.body).toMatchObject({
      status: 'resolved',
      response: 'blue',
      responded_by: crew.person.id,
      resolved_at: expect.any(String),
    });
    expect((await respond(asked.id, 'red').expect(409)).body.code).toBe('human_request_closed');
    const trail = await service.db
      .getRepository(TaskEvent)
      .find({ where: { task_id: task.id }, order: { id: 'ASC' } });
    expect(trail.map(({ type }) => type)).toEqual(['human_request.created', 'human_request.resolved']);
    expect(trail[1]!.metadata).toMatchObject({
      actor: { type: 'user', id: crew.person.id },
      correlation_id: task.correlation_id,
      claimed: { responded_by: 'somebody else' },
    });
    const { run } = (await call('post', `/agents/${crew.engineer.id}/claim`, crew.as.engineer).expect(200))
      .body;
    expect(run.prompt).toContain('Red or blue?');
    expect(run.prompt).toContain('The answer is:\nblue');
  });

  it('answers an agent that waits at once, and only about its own question', async () => {
    const { id } = await ask();
    const other = await ask();
    const waiting = [wait(id), wait(id)].map((one) => one.then((answer) => answer));
    await until(() => waiters() === 2, 'two who wait');
    await respond(other.id, 'neither').expect(200);
    expect(waiters()).toBe(2);
    await respond(id, 'red', crew.as.key).expect(200);
    for (const { body } of await Promise.all(waiting))
      expect(body).toMatchObject({ id, status: 'resolved', response: 'red' });
    expect(waiters()).toBe(0);
    expect((await wait(id).expect(200)).body.response).toBe('red');
  });

  it('answers who waits at another process, and lets nobody wait for one that stops', async () => {
    const { DATABASE_URL } = service.settings;
    const api = await startTestService({
      DATABASE_URL,
      ENTOURAGE_ROLES: ['api'],
      ENTOURAGE_POLL_SECONDS: 3600,
    });
    const there = api.app.get(AnswerWaits, { strict: false });
    const waitThere = (id: number) =>
      caller(api)('get', `/human-requests/${id}?wait_seconds=20`, crew.as.engineer).then((answer) => answer);
    const [first, second] = [await ask(), await ask()];
    const answered = waitThere(first.id);
    const left = waitThere(second.id);
    await until(() => there.waiters === 2, 'two who wait there');
    await respond(first.id, 'red').expect(200);
    expect((await answered).body).toMatchObject({ status: 'resolved', response: 'red' });
    await api.close();
    expect((await left).body).toMatchObject({ id: second.id, status: 'pending' });
  });

  it('expires at its time, tells the agent, and takes no answer any more', async () => {
    const task = await crew.task({ status: 'todo' });
    const late = await ask({ timeout_minutes: 60 });
    const { id } = await ask({ task_id: task.id, timeout_minutes: 0.02 });
    const { body } = await wait(id).expect(200);
    expect(body).toMatchObject({ status: 'expired', response: null });
    const late_ms = Date.parse(body.resolved_at) - Date.parse(body.timeout_at);
    expect(late_ms).toBeGreaterThanOrEqual(0);
    expect(late_ms).toBeLessThan(2_000);
    expect((await respond(id, 'red').expect(409)).body.detail).toBe('The request is already expired');
    const { run } = (await call('post', `/agents/${crew.engineer.id}/claim`, crew.as.engineer).expect(200))
      .body;
    expect(run.prompt).toContain('Nobody answered in time');
    const events = await service.db.getRepository(TaskEvent).findBy({ task_id: task.id });
    expect(events.map(({ type }) => type)).toContain('human_request.expired');
    expect((await call('get', `/human-requests/${late.id}`, crew.as.person)).body.status).toBe('pending');
  });

  it('takes no answer past its time, also before anybody has marked it', async () => {
    const { id } = await service.db.getRepository(HumanRequest).save({
      org_id: crew.org.id,
      ...question(),
      asked_by: { type: 'agent', id: crew.engineer.id },
      timeout_at: new Date(Date.now() - 1_000),
    });
    await respond(id, 'red').expect(409);
  });

  it('lets one of twenty answers win', async () => {
    const { id } = await ask();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => respond(id, `answer ${n}`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
    const inbox = (await call('get', `/agents/${crew.engineer.id}/inbox`, crew.as.engineer)).body;
    expect(inbox).toHaveLength(1);
  });

  it('lets agents ask for themselves, and answer for nobody', async () => {
    const { id } = await ask();
    await respond(id, 'red', crew.as.engineer).expect(403);
    await respond(id, 'red', crew.as.reviewer).expect(403);
    await call('post', '/human-requests', crew.as.reviewer, question()).expect(403);
    await call('post', '/human-requests', crew.as.key, question()).expect(201);
  });

  it('lists what a team has asked, newest first', async () => {
    const task = await crew.task();
    const first = await ask({ task_id: task.id });
    const second = await ask();
    await respond(first.id, 'red').expect(200);
    const list = async (query = ''): Promise<number[]> =>
      (
        await call('get', `/teams/${crew.team.id}/human-requests${query}`, crew.as.reviewer).expect(200)
      ).body.map((one: { id: number }) => one.id);
    expect(await list()).toEqual([second.id, first.id]);
    expect(await list('?status=pending')).toEqual([second.id]);
    expect(await list(`?task_id=${task.id}`)).toEqual([first.id]);
    expect(await list(`?agent_id=${crew.reviewer.id}`)).toEqual([]);
    expect(await list('?limit=1')).toEqual([second.id]);
    await call('get', `/teams/${crew.team.id}/human-requests?status=maybe`, crew.as.key).expect(422);
    await call('get', `/teams/${crew.team.id}/human-requests?limit=201`, crew.as.key).expect(422);
  });

  it.each([
    ['kind', ''],
    ['question', ''],
    ['agent_id', 'nobody'],
    ['team_id', 'nowhere'],
    ['options', 'red'],
    ['timeout_minutes', 0],
    ['task_id', 999_999_999],
  ])('refuses a question whose %s is wrong', async (field, value) => {
    const { body } = await call('post', '/human-requests', crew.as.key, question({ [field]: value })).expect(
      422,
    );
    expect(body.errors[0].field).toBe(field);
  });

  it('does not exist for others', async () => {
    const { id } = await ask();
    const other = await makeReviewTeam(service.db);
    for (const stranger of [other.as.person, other.as.key]) {
      await call('get', `/human-requests/${id}`, stranger).expect(404);
      await respond(id, 'red', stranger).expect(404);
      await call('post', '/human-requests', stranger, question()).expect(404);
      await call('get', `/teams/${crew.team.id}/human-requests`, stranger).expect(404);
    }
    await call('post', '/human-requests', crew.as.key, question({ team_id: other.team.id })).expect(404);
  });
});
