import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Review } from '../../src/modules/reviews/review.entity.js';
import { Message } from '../../src/modules/tasks/message.entity.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey } from '../factories/accounts.js';
import { caller, makeReviewTeam, type ReviewTeam } from '../factories/reviews.js';
import { withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';

describe('reviews', () => {
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

  const events = async (task_id: number): Promise<TaskEvent[]> =>
    service.db.getRepository(TaskEvent).find({ where: { task_id }, order: { id: 'ASC' } });
  const statusOf = async (id: number): Promise<string> =>
    (await service.db.getRepository(Task).findOneByOrFail({ id })).status;
  const request = (task: Task, body: object = {}, as = crew.as.engineer) =>
    call('post', `/tasks/${task.id}/reviews`, as, body);
  const open = async (task: Task, body: object = {}): Promise<{ id: number; attempt: number }> =>
    (await request(task, body).expect(201)).body;
  const decide = (id: number, body: object, as = crew.as.person) =>
    call('post', `/reviews/${id}/verdict`, as, body);

  it('asks an idle reviewer of the team when nobody is named', async () => {
    const task = await crew.task();
    const { body } = await request(task, { reviewer_type: 'user', commit: 'ABCDEF1' }).expect(201);
    expect(body).toEqual({
      id: expect.any(Number),
      task_id: task.id,
      attempt: 1,
      reviewer_id: crew.reviewer.id,
      reviewer_type: 'agent',
      commit: 'abcdef1',
      verdict: null,
      summary: null,
      created_at: expect.any(String),
      resolved_at: null,
      comments: [],
    });
    const inbox = (await call('get', `/agents/${crew.reviewer.id}/inbox`, crew.as.reviewer).expect(200)).body;
    expect(inbox).toHaveLength(1);
    expect(inbox[0].content).toMatch(/^## Code Review Request\n/);
    expect(inbox[0].task_id).toBe(task.id);
    expect(await open(task)).toMatchObject({ attempt: 2 });
    const list = (await call('get', `/tasks/${task.id}/reviews`, crew.as.key).expect(200)).body;
    expect(list.map((review: Review) => review.attempt)).toEqual([2, 1]);
    const { body: page, headers } = await call('get', `/tasks/${task.id}/reviews?limit=1`, crew.as.key);
    expect(page).toHaveLength(1);
    expect(headers['link']).toContain('rel="next"');
  });

  it('asks nobody who wrote it, and who is named only if they can review it', async () => {
    const task = await crew.task({ assignee_id: crew.reviewer.id });
    expect((await request(task).expect(201)).body).toMatchObject({
      reviewer_id: null,
      reviewer_type: 'user',
    });
    await request(task, { reviewer_id: crew.reviewer.id, reviewer_type: 'agent' }).expect(422);
    await request(task, { reviewer_id: crew.engineer.id, reviewer_type: 'user' }).expect(422);
    await request(task, { reviewer_id: crew.person.id, reviewer_type: 'agent' }).expect(422);
    const named = { reviewer_id: crew.person.id };
    expect((await request(task, named).expect(201)).body).toMatchObject({ ...named, reviewer_type: 'user' });
    await request(task, { reviewer_id: 'nobody' }).expect(422);
    await request(task, { commit: 'not-a-commit' }).expect(422);
    await request(task, { reviewer_type: 'robot' }).expect(422);
    await call('post', '/tasks/999999999/reviews', crew.as.key, {}).expect(404);
  });

  it('keeps comments with file and line, and who really wrote them', async () => {
    const { id } = await open(await crew.task());
    const comment = (body: object, as = crew.as.reviewer) =>
      call('post', `/reviews/${id}/comments`, as, body);
    const claim = { author_id: crew.person.id, author_type: 'user' };
    const { body } = await comment({
      ...claim,
      content: 'Never ends',
      file_path: 'src/a.ts',
      line_number: '12',
    }).expect(201);
    expect(body).toEqual({
      id: expect.any(Number),
      review_id: id,
      author_id: crew.reviewer.id,
      author_type: 'agent',
      file_path: 'src/a.ts',
      line_number: 12,
      content: 'Never ends',
      created_at: expect.any(String),
    });
    await comment({ ...claim, content: '' }).expect(422);
    await comment({ ...claim, content: 'x', line_number: 0 }).expect(422);
    await comment({ content: 'x', author_type: 'robot' }).expect(422);
    await call('post', '/reviews/999999999/comments', crew.as.key, { content: 'x' }).expect(404);
    expect((await call('get', `/reviews/${id}`, crew.as.person).expect(200)).body.comments).toEqual([body]);
    await call('get', '/reviews/999999999', crew.as.person).expect(404);
  });

  it('lets a person approve: the task goes on, and the trail tells who did', async () => {
    const task = await crew.task();
    const { id } = await open(task);
    const { body } = await decide(id, {
      verdict: 'approve',
      summary: 'Fine',
      reviewer_id: crew.reviewer.id,
      reviewer_type: 'user',
      commit: 'a'.repeat(40),
    }).expect(200);
    expect(body).toMatchObject({
      verdict: 'approve',
      summary: 'Fine',
      reviewer_id: crew.person.id,
      reviewer_type: 'user',
      commit: 'a'.repeat(40),
      resolved_at: expect.any(String),
    });
    expect(await statusOf(task.id)).toBe('in_approval');
    const trail = await events(task.id);
    expect(trail.map(({ type }) => type)).toEqual([
      'review.requested',
      'review.verdict',
      'task.status_changed',
    ]);
    expect(trail[1]).toMatchObject({
      data: {
        verdict: 'approve',
        attempt: 1,
        commit: 'a'.repeat(40),
        by: { type: 'user', id: crew.person.id },
      },
      metadata: {
        actor: { type: 'user', id: crew.person.id },
        correlation_id: task.correlation_id,
        claimed: { reviewer_id: crew.reviewer.id, reviewer_type: 'user' },
      },
    });
    const again = await decide(id, { verdict: 'reject' }).expect(409);
    expect(again.body.code).toBe('review_decided');
    await decide(999_999_999, { verdict: 'reject' }).expect(404);
    await decide(id, { verdict: 'maybe' }).expect(422);
    await decide(id, {}).expect(422);
  });

  it('decides the newest review by task, with an empty body or none', async () => {
    const task = await crew.task();
    const short = (what: 'approve' | 'reject', as = crew.as.key, body?: object) =>
      call('post', `/tasks/${task.id}/${what}`, as, body);
    expect((await short('approve', crew.as.key, {}).expect(404)).body.code).toBe('review_not_found');
    await open(task);
    expect((await short('reject', crew.as.key, {}).expect(200)).body).toMatchObject({ verdict: 'reject' });
    expect(await statusOf(task.id)).toBe('in_review');
    await short('approve').expect(409);
    await open(task);
    const mcp = { verdict: 'approve', summary: 'ok', reviewer_type: 'user' };
    await short('approve', crew.as.key, { ...mcp, verdict: 'reject' }).expect(422);
    expect((await short('approve', crew.as.key, mcp).expect(200)).body).toMatchObject({
      attempt: 2,
      verdict: 'approve',
    });
    expect(await statusOf(task.id)).toBe('in_approval');
    await open(task);
    await service.http.post(`/api/v1/tasks/${task.id}/approve`).set(crew.as.person).expect(200);
    await call('post', '/tasks/999999999/approve', crew.as.key, {}).expect(404);
  });

  it("lets a person decide after an agent's first look, as an attempt of its own", async () => {
    const task = await crew.task();
    const { id } = await open(task);
    await decide(id, { verdict: 'approve' }, crew.as.reviewer).expect(200);
    expect(await statusOf(task.id)).toBe('in_review');
    const { body } = await call('post', `/tasks/${task.id}/approve`, crew.as.person, {}).expect(200);
    expect(body).toMatchObject({ attempt: 2, verdict: 'approve', reviewer_id: crew.person.id });
    expect(await statusOf(task.id)).toBe('in_approval');
    await call('post', `/tasks/${task.id}/approve`, crew.as.person, {}).expect(409);
  });

  it('lets nobody review their own work: as assignee, by the last run, or in the name of the author', async () => {
    const task = await crew.task();
    const { id } = await open(task);
    const own = await decide(id, { verdict: 'approve' }, crew.as.engineer).expect(403);
    expect(own.body.code).toBe('reviewer_is_author');
    await decide(
      id,
      { verdict: 'approve', reviewer_id: crew.engineer.id, reviewer_type: 'agent' },
      crew.as.key,
    ).expect(403);
    const second = await crew.task({ status: 'todo' });
    const { run } = (await call('post', `/agents/${crew.engineer.id}/claim`, crew.as.engineer).expect(200))
      .body;
    await call('post', `/runs/${run.id}/finish`, crew.as.engineer, {
      fencing_token: run.fencing_token,
      status: 'succeeded',
    }).expect(200);
    await call('post', `/tasks/${second.id}/assign`, crew.as.key, { assignee_id: crew.reviewer.id });
    const review = await open(second);
    await decide(review.id, { verdict: 'approve' }, crew.as.engineer).expect(403);
    await decide(review.id, { verdict: 'reject' }, crew.as.reviewer).expect(403);
    await decide(review.id, { verdict: 'reject' }).expect(200);
  });

  it('sends the task back with the feedback in its next prompt, at once', async () => {
    const task = await crew.task();
    const { id } = await open(task);
    await call('post', `/reviews/${id}/comments`, crew.as.reviewer, {
      content: 'Never ends',
      file_path: 'src/loop.ts',
      line_number: 7,
    }).expect(201);
    const waiting = call('post', `/agents/${crew.engineer.id}/claim`, crew.as.engineer, { wait_seconds: 20 });
    const claimed = waiting.then((answer) => answer);
    await decide(id, { verdict: 'request_changes', summary: 'Nearly there' }, crew.as.reviewer).expect(200);
    const decided = performance.now();
    const { run } = (await claimed).body;
    expect(performance.now() - decided).toBeLessThan(5_000);
    expect(run.task.id).toBe(task.id);
    for (const text of ['## Review Feedback', 'Nearly there', 'src/loop.ts:7: Never ends'])
      expect(run.prompt).toContain(text);
    const trail = (await events(task.id)).map(({ type, data }) => [type, data['to'] ?? null]);
    expect(trail).toEqual([
      ['review.requested', null],
      ['review.comment_added', null],
      ['review.verdict', null],
      ['review.feedback_sent', null],
      ['task.status_changed', 'todo'],
      ['task.status_changed', 'in_progress'],
      ['run.started', null],
    ]);
    await call('post', `/runs/${run.id}/finish`, crew.as.engineer, {
      fencing_token: run.fencing_token,
      status: 'succeeded',
    }).expect(200);
    const messages = await service.db.getRepository(Message).findBy({ recipient_id: crew.engineer.id });
    expect(messages).toEqual([expect.objectContaining({ processed_at: expect.any(Date) })]);
    expect(await open(task)).toMatchObject({ attempt: 2 });
  });

  it('gives the feedback to another agent when the task goes to one', async () => {
    const task = await crew.task({ status: 'todo' });
    const claim = (id: string, as: Record<string, string>) =>
      call('post', `/agents/${id}/claim`, as).expect(200);
    const { run } = (await claim(crew.engineer.id, crew.as.engineer)).body;
    await call('post', `/runs/${run.id}/finish`, crew.as.engineer, {
      fencing_token: run.fencing_token,
      status: 'succeeded',
    }).expect(200);
    const { id } = await open(task);
    await decide(id, { verdict: 'request_changes', summary: 'Once more' }).expect(200);
    const other = await makeAgent(service.db, crew.team, { runtime: 'pull' });
    const key = withKey((await makeApiKey(service.db, crew.org.id, ['agent'], { agent_id: other.id })).key);
    await call('post', `/tasks/${task.id}/assign`, crew.as.key, { assignee_id: other.id }).expect(200);
    expect((await claim(other.id, key)).body.run.prompt).toContain('Once more');
  });

  it('only records a rejection, and what is said of a task that is finished', async () => {
    const task = await crew.task();
    await decide((await open(task)).id, { verdict: 'reject' }).expect(200);
    const done = await crew.task({ status: 'done' });
    await decide((await open(done)).id, { verdict: 'request_changes' }).expect(200);
    expect([await statusOf(task.id), await statusOf(done.id)]).toEqual(['in_review', 'done']);
    expect(await service.db.getRepository(Message).countBy({ recipient_id: crew.engineer.id })).toBe(0);
  });

  it('lets one of twenty verdicts win, and numbers twenty requests', async () => {
    const task = await crew.task();
    const { id } = await open(task);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        decide(id, { verdict: n % 2 === 0 ? 'approve' : 'request_changes' }, crew.as.key),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
    const trail = await events(task.id);
    expect(trail.filter(({ type }) => type === 'review.verdict')).toHaveLength(1);
    expect(trail.filter(({ type }) => type === 'task.status_changed')).toHaveLength(1);
    const reviews = await Promise.all(Array.from({ length: 20 }, () => open(task)));
    expect(reviews.map(({ attempt }) => attempt).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 2),
    );
  });

  it('does not exist for others', async () => {
    const { id } = await open(await crew.task());
    const { as } = await makeReviewTeam(service.db);
    for (const stranger of [as.person, as.key, as.reviewer]) {
      await call('get', `/reviews/${id}`, stranger).expect(404);
      await decide(id, { verdict: 'approve' }, stranger).expect(404);
      await call('post', `/reviews/${id}/comments`, stranger, { content: 'x' }).expect(404);
    }
  });
});
