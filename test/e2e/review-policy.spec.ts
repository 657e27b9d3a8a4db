import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/tasks.facade.js';
import { Reviews } from '../../src/modules/reviews/reviews.facade.js';
import { caller, makeReviewTeam, type ReviewTeam } from '../factories/reviews.js';
import { startTestService, type TestService } from '../support/service.js';

const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);

describe('policies of review', () => {
  let service: TestService;
  let call: ReturnType<typeof caller>;
  let crew: ReviewTeam;
  let branch: string | null;
  beforeAll(async () => {
    service = await startTestService();
    call = caller(service);
    reviews().commitsComeFrom(() => Promise.resolve(branch));
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    branch = null;
    crew = await makeReviewTeam(service.db);
  });

  const reviews = (): Reviews => service.app.get(Reviews, { strict: false });
  const policy = (values: object) =>
    call('patch', `/settings/teams/${crew.team.id}`, crew.as.person, values).expect(200);
  const statusOf = async (id: number): Promise<string> =>
    (await service.db.getRepository(Task).findOneByOrFail({ id })).status;
  const decide = async (task: Task, who: keyof ReviewTeam['as'], body: object = {}): Promise<void> => {
    const { id } = (await call('post', `/tasks/${task.id}/reviews`, crew.as.key, {}).expect(201)).body;
    await call('post', `/reviews/${id}/verdict`, crew.as[who], { verdict: 'approve', ...body }).expect(200);
  };
  const move = (task: Task, status: string, who: keyof ReviewTeam['as'] = 'person') =>
    call('post', `/tasks/${task.id}/status`, crew.as[who], { status });
  const standing = (task: Task, commit: string | null = null) =>
    reviews().standing(service.db.manager, task.id, commit);

  it.each([
    // who approves, does an agent's approval count → where the task is then, and whether the approval counts
    ['person', false, 'in_approval', true],
    ['key', false, 'in_approval', true],
    ['reviewer', false, 'in_review', false],
    ['person', true, 'in_approval', true],
    ['reviewer', true, 'in_approval', true],
  ] as const)(
    '%s approves, agent_approval_counts %s: %s',
    async (who, agent_approval_counts, status, counts) => {
      for (const require_review of [true, false]) {
        await policy({ require_review, agent_approval_counts });
        const task = await crew.task();
        await decide(task, who);
        expect(await statusOf(task.id)).toBe(status);
        expect(await standing(task)).toMatchObject({ attempt: 1, verdict: 'approve', stale: false, counts });
        const forced = await move(task, status === 'in_review' ? 'in_approval' : 'merging');
        expect([require_review, forced.status]).toEqual([
          require_review,
          counts || !require_review ? 200 : 409,
        ]);
        if (forced.status === 409) expect(forced.body.code).toBe('review_required');
      }
    },
  );

  it("counts a key's approval as an agent's when it says so, and an agent's never as a person's", async () => {
    const task = await crew.task();
    await decide(task, 'key', { reviewer_type: 'agent' });
    expect(await standing(task)).toMatchObject({ counts: false });
    await decide(task, 'reviewer', { reviewer_type: 'user', reviewer_id: crew.person.id });
    expect(await standing(task)).toMatchObject({ attempt: 2, counts: false });
  });

  it('binds people by hand, agents and the service itself, at every step towards the merge', async () => {
    await policy({ require_review: true });
    const steps = [
      ['in_review', 'in_approval'],
      ['in_approval', 'merging'],
    ] as const;
    for (const [status, to] of steps) {
      const task = await crew.task({ status });
      expect((await move(task, to)).body.code).toBe('review_required');
      expect((await move(task, to, 'engineer')).body.code).toBe('forbidden');
      await expect(
        service.app
          .get(TaskTransitions, { strict: false })
          .transition(service.db.manager, { task_id: task.id, to, actor: { type: 'system', id: 'merges' } }),
      ).rejects.toMatchObject({ code: 'review_required' });
      await decide(task, 'person');
      if (status !== 'in_review') await move(task, to).expect(200);
      expect(await statusOf(task.id)).toBe(to);
    }
    const begun = await crew.task({ status: 'merging' });
    await move(begun, 'done').expect(200);
    const free = await crew.task();
    await move(free, 'in_progress').expect(200);
    await move(free, 'cancelled').expect(200);
  });

  it('says nothing of a task without review, and takes a verdict back by the next review', async () => {
    const task = await crew.task();
    expect(await standing(task)).toEqual({
      attempt: 0,
      verdict: null,
      commit: null,
      stale: false,
      counts: false,
    });
    await decide(task, 'person');
    await call('post', `/tasks/${task.id}/reviews`, crew.as.engineer, {}).expect(201);
    expect(await standing(task)).toMatchObject({ attempt: 2, verdict: null, counts: false });
    await decide(task, 'person', { verdict: 'reject' });
    expect(await standing(task)).toMatchObject({ attempt: 3, verdict: 'reject', counts: false });
  });

  it('binds an approval to the commit it saw', async () => {
    await policy({ require_review: true });
    const task = await crew.task();
    branch = OLD;
    await decide(task, 'person');
    expect(await standing(task, OLD)).toEqual({
      attempt: 1,
      verdict: 'approve',
      commit: OLD,
      stale: false,
      counts: true,
    });
    expect(await standing(task)).toMatchObject({ counts: true });
    branch = NEW;
    expect(await standing(task, NEW)).toMatchObject({ stale: true, counts: false });
    expect((await move(task, 'merging')).body).toMatchObject({
      code: 'review_required',
      detail: 'The team requires review: its approval is of earlier work',
    });
    await decide(task, 'person', { commit: NEW.slice(0, 7) });
    await move(task, 'merging').expect(200);
    const unseen = await crew.task();
    branch = null;
    await decide(unseen, 'person');
    expect(await standing(unseen, NEW)).toMatchObject({ commit: null, stale: true, counts: false });
  });

  it('takes an approval of another commit for none: the task stays in review', async () => {
    const task = await crew.task();
    branch = NEW;
    await decide(task, 'person', { commit: OLD });
    expect(await statusOf(task.id)).toBe('in_review');
    expect(await standing(task, NEW)).toMatchObject({ verdict: 'approve', stale: true });
  });

  it('lets an approval end with the next run that succeeds, also where no commit is known', async () => {
    const task = await crew.task();
    await decide(task, 'person');
    await move(task, 'in_progress').expect(200);
    await move(task, 'todo').expect(200);
    const { run } = (await call('post', `/agents/${crew.engineer.id}/claim`, crew.as.engineer).expect(200))
      .body;
    await call('post', `/runs/${run.id}/finish`, crew.as.engineer, {
      fencing_token: run.fencing_token,
      status: 'succeeded',
    }).expect(200);
    expect(await standing(task)).toMatchObject({ verdict: 'approve', stale: true, counts: false });
  });
});
