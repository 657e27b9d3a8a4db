import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeApiKey, makeTeam, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';

describe('sub-tasks', () => {
  let service: TestService;
  let team: Team;
  let agent: Agent;
  let key: string;

  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_ROLES: ['api'], ENTOURAGE_DB_POOL_SIZE: 25 });
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    ({ team, agent, key } = await makeWorkspace(service.db));
  });

  const call = (method: 'get' | 'post' | 'patch' | 'put' | 'delete', path: string, body?: object, by = key) =>
    service.http[method](`/api/v1${path}`).set('X-API-Key', by).send(body);
  const post = (path: string, body?: object, by?: string) => call('post', path, body, by);
  const get = (path: string, by?: string) => call('get', path, undefined, by);
  const task = (values: Partial<Task> = {}): Promise<Task> => makeTask(service.db, team, values);
  const row = (id: number): Promise<Task> => service.db.getRepository(Task).findOneByOrFail({ id });
  const decompose = (id: number, subtasks: object[], more: object = {}, by?: string) =>
    post(`/tasks/${id}/decompose`, { subtasks, ...more }, by);
  const agentKey = async (of: Agent): Promise<string> =>
    (await makeApiKey(service.db, team.org_id, ['agent'], { agent_id: of.id })).key;
  const setParent = (id: number, parent_id: number | null) => call('patch', `/tasks/${id}`, { parent_id });
  const depend = (id: number, depends_on: number[], more: object = {}) =>
    call('put', `/tasks/${id}/dependencies`, { depends_on, ...more });
  const problem = (answer: { text: string }) => JSON.parse(answer.text);
  const nextOf = ({ headers }: { headers: Record<string, string> }): string | undefined =>
    /<\/api\/v1(.*)>; rel="next"/.exec(headers['link'] ?? '')?.[1];

  describe('decompose', () => {
    it('makes the whole plan at once, under the trail of the parent', async () => {
      const parent = await task({ priority: 'high', repo_ids: [] });
      const before = await task();
      const ada = await makeAgent(service.db, team, { name: 'Ada' });
      const { body } = await decompose(parent.id, [
        { title: 'Build', agent: 'Ada', tags: ['web'], depends_on_indices: [2], depends_on: [before.id] },
        { title: 'Check', role: 'reviewer', priority: 'low', depends_on_indices: [0], on_cancel: 'cancel' },
        { title: 'Plan', description: 'First.', assignee_id: agent.id },
      ]).expect(201);
      const [build, check, plan] = body;
      expect(body).toMatchObject([
        {
          title: 'Build',
          parent_id: parent.id,
          assignee_id: ada.id,
          priority: 'high',
          tags: ['web'],
          depends_on: [plan.id, before.id],
          correlation_id: parent.correlation_id,
          on_cancel: 'block',
        },
        {
          assignee_id: null,
          auto_assign: true,
          auto_assign_role: 'reviewer',
          priority: 'low',
          depends_on: [build.id],
          on_cancel: 'cancel',
        },
        { description: 'First.', assignee_id: agent.id, auto_assign: false, depends_on: [] },
      ]);
      const { body: detail } = await get(`/tasks/${parent.id}`).expect(200);
      expect(detail).toMatchObject({
        parent_id: null,
        subtasks: { total: 3, open: 3, done: 0, cancelled: 0 },
        version: parent.version + 1,
      });
      const { body: timeline } = await get(`/tasks/${parent.id}/timeline`).expect(200);
      expect(timeline.map(({ task_id, type }: { task_id: number; type: string }) => [task_id, type])).toEqual(
        [
          [build.id, 'task.created'],
          [build.id, 'task.assigned'],
          [check.id, 'task.created'],
          [plan.id, 'task.created'],
          [plan.id, 'task.assigned'],
          [parent.id, 'task.decomposed'],
        ],
      );
      expect(timeline[0]).toMatchObject({
        data: { parent_id: parent.id },
        actor: { type: 'api_key' },
        correlation_id: parent.correlation_id,
        created_at: expect.stringMatching(/\+00:00$/),
      });
      expect(timeline[5].data).toEqual({ subtask_ids: [build.id, check.id, plan.id] });
    });

    it.each([
      [[], 'subtasks'],
      [Array(51).fill({ title: 'x' }), 'subtasks'],
      [[{ title: '' }], 'subtasks.0.title'],
      [[{ title: 'x', role: 'chief' }], 'subtasks.0.role'],
      [[{ title: 'x' }, { title: 'x', agent: 'Nobody' }], 'subtasks.1.agent'],
      [[{ title: 'x', agent: 'Ada', role: 'engineer' }], 'subtasks.0.agent'],
      [[{ title: 'x', assignee_id: randomUUID() }], 'subtasks.0.assignee_id'],
      [[{ title: 'x', repo_ids: [randomUUID()] }], 'subtasks.0.repo_ids'],
      [[{ title: 'x', depends_on_indices: [0] }], 'subtasks.0.depends_on_indices'],
      [[{ title: 'x', on_cancel: 'wait' }], 'subtasks.0.on_cancel'],
    ])('refuses a fault and names it (%#)', async (subtasks, field) => {
      const { id } = await task();
      const answer = await decompose(id, subtasks).expect(422);
      expect(problem(answer).errors[0].field).toBe(field);
      expect(await service.db.getRepository(Task).countBy({ parent_id: id })).toBe(0);
    });

    it('refuses what could never be done', async () => {
      const top = await task();
      const parent = await task({ parent_id: top.id });
      const after = await task();
      await depend(after.id, [parent.id]).expect(200);
      const cancelled = await task({ status: 'cancelled' });
      for (const [subtasks, status, code] of [
        [
          [
            { title: 'a', depends_on_indices: [1] },
            { title: 'b', depends_on_indices: [0] },
          ],
          422,
          'dependency_cycle',
        ],
        [[{ title: 'a', depends_on: [top.id] }], 422, 'dependency_invalid'],
        [[{ title: 'a', depends_on: [parent.id] }], 422, 'dependency_invalid'],
        [[{ title: 'a', depends_on: [after.id] }], 422, 'dependency_cycle'],
        [[{ title: 'a', depends_on: [99_999_999] }], 409, 'dependencies_not_found'],
        [[{ title: 'a', depends_on: [cancelled.id], on_cancel: 'cancel' }], 422, 'dependency_invalid'],
      ] as const)
        expect(problem(await decompose(parent.id, [...subtasks]).expect(status)).code).toBe(code);
      expect(await service.db.getRepository(Task).countBy({ parent_id: parent.id })).toBe(0);
    });

    it.each(['in_review', 'in_approval', 'merging', 'done', 'cancelled', 'archived'] as const)(
      'refuses a parent in %s',
      async (status) => {
        const { id } = await task({ status });
        expect(problem(await decompose(id, [{ title: 'x' }]).expect(409)).code).toBe(
          'task_takes_no_subtasks',
        );
        const made = await post(`/teams/${team.id}/tasks`, { title: 'x', parent_id: id }).expect(409);
        expect(problem(made).code).toBe('task_takes_no_subtasks');
        const moved = await setParent((await task()).id, id).expect(409);
        expect(problem(moved).code).toBe('task_takes_no_subtasks');
      },
    );

    it('is done once for one key, in body or header, also twenty times at the same instant', async () => {
      const { id } = await task();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          n % 2
            ? decompose(id, [{ title: 'a' }, { title: 'b' }], { idempotency_key: 'plan-1' })
            : decompose(id, [{ tags: null, title: 'a' }, { title: 'b' }]).set('Idempotency-Key', 'plan-1'),
        ),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
      const ids = answers.map(({ body }) => body.map((one: Task) => one.id).join());
      expect(new Set(ids).size).toBe(1);
      expect(await service.db.getRepository(Task).countBy({ parent_id: id })).toBe(2);
      const other = await decompose(id, [{ title: 'c' }], { idempotency_key: 'plan-1' }).expect(409);
      expect(problem(other).code).toBe('idempotency_conflict');
      await post(`/tasks/${id}/status`, { status: 'cancelled' }).expect(200);
      const again = await decompose(id, [{ title: 'a' }, { title: 'b' }], { idempotency_key: 'plan-1' });
      expect(again.status).toBe(201);
      expect(again.body.map((one: Task) => one.status)).toEqual(['cancelled', 'cancelled']);
      await decompose(id, [{ title: 'a' }], { idempotency_key: 'x' })
        .set('Idempotency-Key', 'y')
        .expect(422);
      await decompose(id, [{ title: 'a' }])
        .set('Idempotency-Key', 'y'.repeat(201))
        .expect(422);
      await decompose(id, [{ title: 'a' }], { idempotency_key: '' }).expect(422);
    });

    it('is for the agent that works on the task, and for managers; not for what waits for a person', async () => {
      const mine = await task({ assignee_id: agent.id });
      const other = await task();
      const manager = await makeAgent(service.db, team, { role: 'manager' });
      const elsewhere = await makeAgent(service.db, await makeTeam(service.db, team.org_id), {
        role: 'manager',
      });
      const [engineerKey, managerKey] = [await agentKey(agent), await agentKey(manager)];
      await decompose(mine.id, [{ title: 'x' }], {}, engineerKey).expect(201);
      expect(problem(await decompose(other.id, [{ title: 'x' }], {}, engineerKey).expect(403)).code).toBe(
        'forbidden',
      );
      await decompose(other.id, [{ title: 'x' }], {}, managerKey).expect(201);
      await decompose(other.id, [{ title: 'x' }], {}, await agentKey(elsewhere)).expect(404);
      const held = await task({ hold_reason: 'awaiting_release' });
      await decompose(held.id, [{ title: 'x' }], {}, managerKey).expect(403);
      await decompose(held.id, [{ title: 'x' }]).expect(201);
      for (const path of ['subtasks', 'timeline'])
        await get(`/tasks/${mine.id}/${path}`, engineerKey).expect(200);
    });
  });

  describe('the parent of a task', () => {
    it('is given when the task is made, or later, and taken away by its own route', async () => {
      const parent = await task();
      const { body: made } = await post(`/teams/${team.id}/tasks`, {
        title: 'x',
        parent_id: String(parent.id),
      }).expect(201);
      expect(made).toMatchObject({ parent_id: parent.id, correlation_id: parent.correlation_id });
      const other = await task();
      expect((await setParent(made.id, other.id).expect(200)).body).toMatchObject({ parent_id: other.id });
      expect((await setParent(made.id, null).expect(200)).body).toMatchObject({ parent_id: other.id });
      expect((await call('delete', `/tasks/${made.id}/parent`).expect(200)).body).toEqual({ deleted: true });
      await call('delete', `/tasks/${made.id}/parent`).expect(200);
      expect((await row(made.id)).parent_id).toBeNull();
      const { body: events } = await get(`/tasks/${made.id}/events`).expect(200);
      expect(events.map(({ data }: { data: object }) => data)).toMatchObject([
        { parent_id: parent.id },
        { fields: ['parent_id'], parent_id: { from: parent.id, to: other.id } },
        { fields: ['parent_id'], parent_id: { from: other.id, to: null } },
      ]);
    });

    it('is of the same team, no part of the task, and waits for none of it', async () => {
      const elsewhere = await makeTask(service.db, await makeTeam(service.db, team.org_id));
      const one = await task();
      for (const parent_id of [elsewhere.id, 99_999_999]) {
        expect(problem(await setParent(one.id, parent_id).expect(422)).errors[0].field).toBe('parent_id');
        await post(`/teams/${team.id}/tasks`, { title: 'x', parent_id }).expect(422);
      }
      const child = await task({ parent_id: one.id });
      const grandchild = await task({ parent_id: child.id });
      const refused = async (id: number, parent: number) =>
        expect(problem(await setParent(id, parent).expect(422)).code).toBe('parent_cycle');
      await refused(one.id, one.id);
      await refused(one.id, grandchild.id);
      const [early, late] = [await task(), await task()];
      await depend(late.id, [early.id]).expect(200);
      await refused(late.id, early.id);
      await refused(early.id, late.id);
      const partOfLate = await task({ parent_id: late.id });
      await refused(early.id, partOfLate.id);
      await post(`/tasks/${child.id}/status`, { status: 'cancelled' }).expect(200);
      expect(problem(await setParent(child.id, late.id).expect(409)).code).toBe('task_finished');
      expect(problem(await call('delete', `/tasks/${child.id}/parent`).expect(409)).code).toBe(
        'task_finished',
      );
    });

    it('has at most five tasks above it', async () => {
      const chain = [await task()];
      for (let level = 1; level <= 5; level += 1) chain.push(await task({ parent_id: chain.at(-1)!.id }));
      const deepest = chain.at(-1)!;
      expect(problem(await decompose(deepest.id, [{ title: 'x' }]).expect(422)).code).toBe('parent_too_deep');
      await post(`/teams/${team.id}/tasks`, { title: 'x', parent_id: deepest.id }).expect(422);
      expect(problem(await setParent(chain[0]!.id, (await task()).id).expect(422)).code).toBe(
        'parent_too_deep',
      );
      await setParent(chain[1]!.id, (await task()).id).expect(200);
    });

    it('closes, or needs a person, when its last open sub-task is taken away', async () => {
      const parent = await task({ status: 'in_progress' });
      const open = await task({ parent_id: parent.id });
      await task({ parent_id: parent.id, status: 'done' });
      await call('delete', `/tasks/${open.id}/parent`).expect(200);
      expect((await row(parent.id)).status).toBe('done');
      const bare = await task({ status: 'in_progress' });
      await setParent(open.id, bare.id).expect(200);
      await setParent(open.id, (await task()).id).expect(200);
      expect(await row(bare.id)).toMatchObject({ status: 'todo', hold_reason: 'subtasks_gone' });
      expect((await post(`/tasks/${bare.id}/release`).expect(200)).body.hold_reason).toBeNull();
    });

    it('never closes a circle by edits at the same instant', async () => {
      for (let round = 0; round < 10; round += 1) {
        const all = await Promise.all(Array.from({ length: 4 }, () => task()));
        const answers = await Promise.all([
          ...all.map(({ id }, n) => setParent(id, all[(n + 1) % all.length]!.id)),
          ...all.map(({ id }, n) => depend(id, [all[(n + 2) % all.length]!.id])),
        ]);
        expect(answers.filter(({ status }) => ![200, 422].includes(status))).toEqual([]);
        const [circle] = await service.db.query(
          `WITH RECURSIVE reached (start, id) AS (
             SELECT id, id FROM tasks WHERE id = ANY($1)
             UNION SELECT r.start, n.id FROM reached r CROSS JOIN LATERAL (
               SELECT depends_on_id AS id FROM task_dependencies WHERE task_id = r.id
               UNION ALL SELECT id FROM tasks WHERE parent_id = r.id) n
           ), edges AS (
             SELECT task_id AS a, depends_on_id AS b FROM task_dependencies
             UNION ALL SELECT parent_id, id FROM tasks WHERE parent_id IS NOT NULL)
           SELECT 1 FROM edges e JOIN reached r ON r.start = e.b AND r.id = e.a`,
          [all.map(({ id }) => id)],
        );
        expect(circle).toBeUndefined();
      }
    });
  });

  describe('dependencies', () => {
    it('neither go up nor down the tree', async () => {
      const top = await task();
      const middle = await task({ parent_id: top.id });
      const leaf = await task({ parent_id: middle.id });
      const sibling = await task({ parent_id: top.id });
      for (const [id, on] of [
        [leaf.id, top.id],
        [leaf.id, middle.id],
        [top.id, leaf.id],
      ] as const)
        expect(problem(await depend(id, [on]).expect(422)).code).toBe('dependency_invalid');
      await depend(leaf.id, [sibling.id]).expect(200);
      expect(problem(await depend(sibling.id, [middle.id]).expect(422)).code).toBe('dependency_cycle');
    });

    it('are fixed once work has started, and say what a cancelled one means', async () => {
      const first = await task();
      const second = await task();
      const { body } = await depend(second.id, [first.id], { on_cancel: 'skip' }).expect(200);
      expect(body).toMatchObject({ depends_on: [first.id], on_cancel: 'skip' });
      expect((await depend(second.id, []).expect(200)).body.on_cancel).toBe('skip');
      await depend(second.id, [first.id], { on_cancel: 'never' }).expect(422);
      await post(`/tasks/${second.id}/status`, { status: 'in_progress' }).expect(200);
      expect(problem(await depend(second.id, [first.id]).expect(409)).code).toBe('dependencies_fixed');
      const made = await post(`/teams/${team.id}/tasks`, {
        title: 'x',
        depends_on: [first.id],
        on_cancel: 'cancel',
      }).expect(201);
      const batch = await post(`/teams/${team.id}/tasks/batch`, {
        tasks: [{ title: 'a' }, { title: 'b', depends_on_indices: [0], on_cancel: 'cancel' }],
      }).expect(201);
      await post(`/tasks/${first.id}/status`, { status: 'cancelled' }).expect(200);
      await post(`/tasks/${batch.body[0].id}/status`, { status: 'cancelled' }).expect(200);
      for (const id of [made.body.id, batch.body[1].id]) expect((await row(id)).status).toBe('cancelled');
      const late = await post(`/teams/${team.id}/tasks`, {
        title: 'x',
        depends_on: [first.id],
        on_cancel: 'cancel',
      }).expect(422);
      expect(problem(late).code).toBe('dependency_invalid');
    });

    it('show in dispatch-status what a task waits for', async () => {
      const gone = await task({ title: 'Gone', status: 'cancelled' });
      const blocked = await task({ assignee_id: agent.id });
      await depend(blocked.id, [gone.id]).expect(200);
      const parent = await task({ assignee_id: agent.id });
      await decompose(parent.id, [{ title: 'x' }]).expect(201);
      const { body } = await get(`/teams/${team.id}/dispatch-status`).expect(200);
      expect(body.waiting).toMatchObject([
        {
          task_id: blocked.id,
          reason: 'blocked',
          blocked_by: [{ id: gone.id, title: 'Gone', status: 'cancelled' }],
        },
        { task_id: parent.id, reason: 'subtasks', blocked_by: [] },
        { reason: 'not_assigned' },
      ]);
      const started = await post(`/agents/${agent.id}/run`, { task_id: parent.id }).expect(409);
      expect(problem(started).code).toBe('subtasks_open');
      await get('/health/detailed').expect(200);
    });
  });

  it('are listed in the order they were made, page by page, as list items', async () => {
    const parent = await task();
    const { body: made } = await decompose(
      parent.id,
      ['a', 'b', 'c'].map((title) => ({ title })),
    ).expect(201);
    await decompose(made[0].id, [{ title: 'below' }]).expect(201);
    const ids = made.map((one: Task) => one.id);
    const first = await get(`/tasks/${parent.id}/subtasks?limit=2`).expect(200);
    expect(first.body).toMatchObject([
      { id: ids[0], dependent_tasks: [], subtasks: { total: 1, open: 1 } },
      { id: ids[1], subtasks: { total: 0 } },
    ]);
    const second = await get(nextOf(first)!).expect(200);
    expect(second.body.map((one: Task) => one.id)).toEqual([ids[2]]);
    expect(nextOf(second)).toBeUndefined();
    await get('/tasks/99999999/subtasks').expect(404);
    await get('/tasks/99999999/timeline').expect(404);
  });

  it('have one timeline with their parent, page by page', async () => {
    const parent = await task();
    const { body: made } = await decompose(parent.id, [{ title: 'a' }, { title: 'b' }]).expect(201);
    await task({ title: 'unrelated' });
    await post(`/tasks/${made[0].id}/status`, { status: 'in_progress' }).expect(200);
    await service.db.getRepository(Task).update(made[0].id, { status: 'merging' });
    await post(`/tasks/${made[1].id}/status`, { status: 'cancelled' }).expect(200);
    await post(`/tasks/${made[0].id}/status`, { status: 'done' }).expect(200);
    const whole = (await get(`/tasks/${parent.id}/timeline`).expect(200)).body;
    expect(
      whole
        .slice(3)
        .map(({ task_id, data }: { task_id: number; data: { to: string } }) => [task_id, data.to]),
    ).toEqual([
      [made[0].id, 'in_progress'],
      [made[1].id, 'cancelled'],
      [made[0].id, 'done'],
      [parent.id, 'done'],
    ]);
    const paged: object[] = [];
    let path: string | undefined = `/tasks/${parent.id}/timeline?limit=3`;
    while (path !== undefined) {
      const answer: { body: object[]; headers: Record<string, string> } = await get(path).expect(200);
      paged.push(...answer.body);
      path = nextOf(answer);
    }
    expect(paged).toEqual(whole);
  });

  it('tell nothing of a stranger, however they are asked for', async () => {
    const { key: strange, team: theirs } = await makeWorkspace(service.db);
    const mine = await task();
    const their = await makeTask(service.db, theirs);
    await call('patch', `/tasks/${their.id}`, { parent_id: mine.id }, strange).expect(422);
    await decompose(their.id, [{ title: 'x', depends_on: [mine.id] }], {}, strange).expect(409);
    await decompose(their.id, [{ title: 'x', assignee_id: agent.id }], {}, strange).expect(422);
    await decompose(their.id, [{ title: 'x', agent: agent.name }], {}, strange).expect(422);
    await decompose(mine.id, [{ title: 'x' }], {}, strange).expect(404);
    await call('delete', `/tasks/${mine.id}/parent`, undefined, strange).expect(404);
    expect(await row(mine.id)).toMatchObject({ version: mine.version });
  });
});
