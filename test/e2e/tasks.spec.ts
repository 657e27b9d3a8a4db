import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../src/database/new-id.js';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeApiKey, makeTeam, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';

describe('tasks', () => {
  let service: TestService;
  let team: Team;
  let agent: Agent;
  let key: string;
  let keyId: string;
  let agentKey: string;
  let stranger: string;

  beforeAll(async () => {
    service = await startTestService();
    stranger = (await makeWorkspace(service.db)).key;
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    const workspace = await makeWorkspace(service.db);
    ({ team, agent } = workspace);
    const made = await makeApiKey(service.db, workspace.org.id, ['all']);
    key = made.key;
    keyId = made.row.id;
    agentKey = (await makeApiKey(service.db, workspace.org.id, ['agent'], { agent_id: agent.id })).key;
  });

  const call = (method: 'get' | 'post' | 'patch' | 'put', path: string, body?: object, by = key) =>
    service.http[method](`/api/v1${path}`).set('X-API-Key', by).send(body);
  const post = (path: string, body?: object, by?: string) => call('post', path, body, by);
  const get = (path: string, by?: string) => call('get', path, undefined, by);
  const create = async (body: object = {}) =>
    (await post(`/teams/${team.id}/tasks`, { title: 'Fix the Login!', ...body }).expect(201)).body;
  const problem = (answer: { text: string }) => JSON.parse(answer.text);

  describe('create', () => {
    it('answers the task as the contract says', async () => {
      const task = await create({ assignee_id: agent.id, tags: ['web'], priority: 'high' });
      expect(task).toMatchObject({
        id: expect.any(Number),
        team_id: team.id,
        title: 'Fix the Login!',
        description: '',
        status: 'todo',
        priority: 'high',
        dri_id: null,
        assignee_id: agent.id,
        depends_on: [],
        repo_ids: [],
        tags: ['web'],
        branch: `task-${task.id}-fix-the-login`,
        created_at: expect.stringMatching(/Z$/),
        completed_at: null,
        hold_reason: null,
        source: null,
      });
      expect(task).not.toHaveProperty('dependent_tasks');
    });

    it('writes the audit trail with the authenticated actor, correlation and request id', async () => {
      const trace = newId();
      const { body: task } = await post(`/teams/${team.id}/tasks`, {
        title: 'x',
        assignee_id: agent.id,
        actor_id: newId(),
      })
        .set('X-Trace-ID', trace)
        .set('X-Request-ID', 'request-1')
        .expect(201);
      await post(`/tasks/${task.id}/status`, { status: 'cancelled', actor_id: 'somebody' }).expect(200);
      const { body: events } = await get(`/tasks/${task.id}/events`).expect(200);
      expect(events).toMatchObject([
        { type: 'task.created', metadata: { correlation_id: trace, request_id: 'request-1' } },
        { type: 'task.assigned', data: { assignee_id: agent.id } },
        {
          type: 'task.status_changed',
          data: { from: 'todo', to: 'cancelled', actor_id: keyId },
          metadata: {
            actor: { type: 'api_key', id: keyId },
            correlation_id: trace,
            claimed: { actor_id: 'somebody' },
          },
          created_at: expect.stringMatching(/\+00:00$/),
        },
      ]);
    });

    it.each([
      [{ title: '' }, 'title'],
      [{ title: 'x'.repeat(501) }, 'title'],
      [{ title: 'a\0b' }, 'title'],
      [{ title: 7 }, 'title'],
      [{ priority: 'urgent' }, 'priority'],
      [{ tags: ['x'.repeat(101)] }, 'tags'],
      [{ tags: ['a\0'] }, 'tags'],
      [{ tags: 'a' }, 'tags'],
      [{ depends_on: ['x'] }, 'depends_on'],
      [{ assignee_id: 'nobody' }, 'assignee_id'],
      [{ assignee_id: newId() }, 'assignee_id'],
      [{ dri_id: newId() }, 'dri_id'],
      [{ repo_ids: [newId()] }, 'repo_ids'],
    ])('refuses %j', async (body, field) => {
      const answer = await post(`/teams/${team.id}/tasks`, { title: 'x', ...body }).expect(422);
      expect(problem(answer).errors[0].field).toBe(field);
    });

    it('refuses an assignee of another team', async () => {
      const other = await makeAgent(service.db, await makeTeam(service.db, team.org_id));
      await post(`/teams/${team.id}/tasks`, { title: 'x', assignee_id: other.id }).expect(422);
    });

    it('wants dependencies that exist, in the same team', async () => {
      const first = await create();
      const second = await create({ depends_on: [first.id, String(first.id)] });
      expect(second.depends_on).toEqual([first.id]);
      const missing = await post(`/teams/${team.id}/tasks`, { title: 'x', depends_on: [99_999_999] }).expect(
        409,
      );
      expect(problem(missing)).toMatchObject({
        code: 'dependencies_not_found',
        detail: 'Dependency tasks not found: {99999999}',
      });
      const elsewhere = await makeTask(service.db, await makeTeam(service.db, team.org_id));
      const foreign = await post(`/teams/${team.id}/tasks`, {
        title: 'x',
        depends_on: [elsewhere.id],
      }).expect(422);
      expect(problem(foreign).code).toBe('dependency_invalid');
    });
  });

  describe('batch', () => {
    it('makes all tasks in order, with their dependencies', async () => {
      const { body } = await post(`/teams/${team.id}/tasks/batch`, {
        tasks: [
          { title: 'one' },
          { title: 'two', depends_on_indices: [0], assignee_id: agent.id },
          { title: 'three', depends_on_indices: [1, 0] },
        ],
      }).expect(201);
      expect(body.map((task: { title: string }) => task.title)).toEqual(['one', 'two', 'three']);
      expect(body[2].depends_on).toEqual([body[1].id, body[0].id]);
      expect(body[1].assignee_id).toBe(agent.id);
    });

    it('makes none where one is wrong', async () => {
      const count = () => service.db.getRepository(Task).countBy({ team_id: team.id });
      for (const wrong of [
        { title: 'x', depends_on_indices: [1] },
        { title: 'x', depends_on_indices: [-1] },
        { title: '' },
        { title: 'x', assignee_id: newId() },
        [],
        null,
        5,
      ])
        await post(`/teams/${team.id}/tasks/batch`, { tasks: [{ title: 'one' }, wrong] }).expect(422);
      expect(await count()).toBe(0);
      const self = await post(`/teams/${team.id}/tasks/batch`, {
        tasks: [{ title: 'x', depends_on_indices: [0] }],
      });
      expect(problem(self).detail).toContain('index out of range');
    });
  });

  describe('list', () => {
    it('is newest first, pages by link and by offset, and hides what is archived', async () => {
      const ids: number[] = [];
      for (let n = 0; n < 5; n += 1) ids.unshift((await create({ title: `task ${n}` })).id);
      await service.db.getRepository(Task).save({ id: ids[4]!, status: 'archived' });
      const listed = async (query: string) =>
        (await get(`/teams/${team.id}/tasks${query}`).expect(200)).body.map(
          (task: { id: number }) => task.id,
        );
      expect(await listed('')).toEqual(ids.slice(0, 4));
      expect(await listed('?include_archived=True')).toEqual(ids);
      expect(await listed('?include_archived=1&limit=2&offset=1')).toEqual(ids.slice(1, 3));
      expect(await listed('?status=archived')).toEqual([ids[4]]);
      expect(await listed('?status=nonsense')).toEqual([]);
      expect(await listed(`?assignee_id=${agent.id}`)).toEqual([]);
      const page = await get(`/teams/${team.id}/tasks?limit=3&offset=1`).expect(200);
      expect(page.headers['link']).toBeUndefined();
      const first = await get(`/teams/${team.id}/tasks?limit=3`).expect(200);
      const next = /<([^>]+)>/.exec(first.headers['link']!)![1]!;
      const rest = await service.http.get(next).set('X-API-Key', key).expect(200);
      expect(rest.body.map((task: { id: number }) => task.id)).toEqual(ids.slice(3, 4));
      for (const wrong of ['?limit=0', '?limit=501', '?offset=-1', '?assignee_id=x'])
        await get(`/teams/${team.id}/tasks${wrong}`).expect(422);
      for (const cursor of ['x', Buffer.from('["x"]').toString('base64url')])
        await get(`/teams/${team.id}/tasks?cursor=${cursor}`).expect(400);
    });
  });

  describe('one task', () => {
    it('shows what it depends on', async () => {
      const first = await create({ title: 'first' });
      const second = await create({ depends_on: [first.id] });
      const { body } = await get(`/tasks/${second.id}`).expect(200);
      expect(body.dependent_tasks).toEqual([{ id: first.id, title: 'first', status: 'todo' }]);
    });

    it('does not exist for another organization, nor for an agent of another team', async () => {
      const task = await create();
      const outside = await makeAgent(service.db, await makeTeam(service.db, team.org_id));
      const other = (await makeApiKey(service.db, team.org_id, ['all'], { agent_id: outside.id })).key;
      for (const by of [stranger, other]) {
        for (const path of ['', '/context'])
          expect(problem(await get(`/tasks/${task.id}${path}`, by).expect(404)).detail).toBe(
            'Task not found',
          );
        await call('patch', `/tasks/${task.id}`, { title: 'y' }, by).expect(404);
        await call('put', `/tasks/${task.id}/dependencies`, { depends_on: [] }, by).expect(404);
        await post(`/tasks/${task.id}/status`, { status: 'done' }, by).expect(404);
        await post(`/tasks/${task.id}/archive`, {}, by).expect(404);
        await post(`/tasks/${task.id}/assign`, { assignee_id: agent.id }, by).expect(404);
        await post(`/tasks/${task.id}/context`, { key: 'a', value: 1 }, by).expect(404);
        await post(`/teams/${team.id}/tasks`, { title: 'x' }, by).expect(404);
        await get(`/teams/${team.id}/tasks`, by).expect(404);
        expect((await get(`/tasks/${task.id}/events`, by).expect(200)).body).toEqual([]);
      }
      await post(`/tasks/${task.id}/release`, {}, stranger).expect(404);
      for (const id of ['0', '-1', 'x', '99999999999999999999']) await get(`/tasks/${id}`).expect(422);
    });
  });

  describe('change', () => {
    it('changes the fields given, leaves null alone, and counts versions', async () => {
      const task = await create({ tags: ['a', 'b'] });
      const changed = await call('patch', `/tasks/${task.id}`, {
        title: 'New',
        description: null,
        tags: ['a,b'],
      });
      expect(changed.body).toMatchObject({ title: 'New', description: '', tags: ['a,b'], version: 2 });
      const same = await call('patch', `/tasks/${task.id}`, { title: 'New', status: 'done' }).expect(200);
      expect(same.body).toMatchObject({ version: 2, status: 'todo' });
      const { body: events } = await get(`/tasks/${task.id}/events`);
      expect(events.at(-1)).toMatchObject({ type: 'task.updated', data: { fields: ['title', 'tags'] } });
    });

    it('refuses a change made of an older version', async () => {
      const task = await create();
      const edits = Array.from({ length: 10 }, (_, n) =>
        call('patch', `/tasks/${task.id}`, { title: `title ${n}`, version: 1 }),
      );
      const statuses = (await Promise.all(edits)).map((answer) => answer.status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 409)).toHaveLength(9);
      const late = await call('patch', `/tasks/${task.id}`, { title: 'x', version: 1 }).expect(409);
      expect(problem(late).code).toBe('version_conflict');
    });

    it('answers 409 with what is allowed, and 422 for a status that is none', async () => {
      const { id } = await create();
      const wrong = await post(`/tasks/${id}/status`, { status: 'done' }).expect(409);
      expect(problem(wrong)).toMatchObject({
        code: 'invalid_transition',
        detail: "Cannot transition from 'todo' to 'done'. Allowed: {'in_progress', 'cancelled'}",
      });
      await post(`/tasks/${id}/status`, { status: 'todo' }).expect(409);
      await post(`/tasks/${id}/status`, { status: 'started' }).expect(422);
      const early = await post(`/tasks/${id}/archive`).expect(409);
      expect(problem(early)).toMatchObject({ code: 'task_not_archivable' });
      expect(problem(early).detail).toContain('can be archived');
    });

    it('goes all the way by hand, and blocks on dependencies', async () => {
      const first = await create();
      const second = await create({ depends_on: [first.id] });
      const blocked = await post(`/tasks/${second.id}/status`, { status: 'in_progress' }).expect(409);
      expect(problem(blocked)).toMatchObject({
        code: 'blocked_by_dependencies',
        detail: `Blocked by unresolved dependencies: task ${first.id} (todo)`,
      });
      for (const status of ['in_progress', 'in_review', 'in_approval', 'merging', 'done'])
        expect((await post(`/tasks/${first.id}/status`, { status }).expect(200)).body.status).toBe(status);
      expect(
        (await post(`/tasks/${second.id}/status`, { status: 'in_progress' }).expect(200)).body.status,
      ).toBe('in_progress');
      const archived = await post(`/tasks/${first.id}/archive`, { actor_id: 'me' }).expect(200);
      expect(archived.body).toMatchObject({ status: 'archived', completed_at: expect.any(String) });
    });

    it('assigns to agents of the team, which gives a new start', async () => {
      const task = await makeTask(service.db, team, {
        failed_runs: 3,
        hold_reason: 'attempts_exhausted',
        dispatch_after: new Date(),
      });
      const { body } = await post(`/tasks/${task.id}/assign`, { assignee_id: agent.id }).expect(200);
      expect(body).toMatchObject({
        assignee_id: agent.id,
        failed_runs: 0,
        hold_reason: null,
        dispatch_after: null,
      });
      await post(`/tasks/${task.id}/assign`, { assignee_id: newId() }).expect(422);
      await post(`/tasks/${task.id}/assign`, {}).expect(422);
      const held = await makeTask(service.db, team, { hold_reason: 'awaiting_release' });
      const still = await post(`/tasks/${held.id}/assign`, { assignee_id: agent.id }).expect(200);
      expect(still.body.hold_reason).toBe('awaiting_release');
    });

    it('releases what is held, by people and keys that may write', async () => {
      const task = await makeTask(service.db, team, { hold_reason: 'awaiting_release' });
      const agentWrite = (await makeApiKey(service.db, team.org_id, ['all'], { agent_id: agent.id })).key;
      const reader = (await makeApiKey(service.db, team.org_id, ['read'])).key;
      for (const by of [agentKey, agentWrite, reader])
        await post(`/tasks/${task.id}/release`, {}, by).expect(403);
      expect((await post(`/tasks/${task.id}/release`).expect(200)).body.hold_reason).toBeNull();
      const again = await post(`/tasks/${task.id}/release`).expect(409);
      expect(problem(again).code).toBe('task_not_held');
      const [event] = await service.db.getRepository(TaskEvent).findBy({ task_id: task.id });
      expect(event).toMatchObject({ type: 'task.released', data: { hold_reason: 'awaiting_release' } });
    });
  });

  describe('dependencies', () => {
    const depend = (id: number, depends_on: number[]) =>
      call('put', `/tasks/${id}/dependencies`, { depends_on });

    it('replaces them, and refuses circles', async () => {
      const [a, b, c] = [await create(), await create(), await create()];
      expect((await depend(a.id, [c.id, b.id]).expect(200)).body).toMatchObject({
        depends_on: [c.id, b.id],
        version: 2,
      });
      await depend(b.id, [c.id]).expect(200);
      expect(problem(await depend(c.id, [a.id]).expect(422)).code).toBe('dependency_cycle');
      expect(problem(await depend(c.id, [c.id]).expect(422)).code).toBe('dependency_invalid');
      expect(problem(await depend(c.id, [99_999_999]).expect(409)).code).toBe('dependencies_not_found');
      expect((await depend(a.id, []).expect(200)).body.depends_on).toEqual([]);
      await depend(c.id, [a.id]).expect(200);
    });

    it('never closes a circle from several sides at once', async () => {
      for (let round = 0; round < 5; round += 1) {
        const tasks = [await create(), await create(), await create(), await create()];
        const answers = await Promise.all(
          tasks.map((task, n) => depend(task.id, [tasks[(n + 1) % tasks.length].id])),
        );
        expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([
          200, 200, 200, 422,
        ]);
      }
    });
  });

  describe("an agent's key", () => {
    it('reads and moves tasks of its team, but passes neither review nor merge', async () => {
      const { id } = await create();
      await get(`/tasks/${id}`, agentKey).expect(200);
      await get(`/teams/${team.id}/tasks`, agentKey).expect(200);
      for (const status of ['in_progress', 'in_review'])
        await post(`/tasks/${id}/status`, { status }, agentKey).expect(200);
      const refused = await post(`/tasks/${id}/status`, { status: 'in_approval' }, agentKey).expect(403);
      expect(problem(refused).code).toBe('forbidden');
      await post(`/tasks/${id}/status`, { status: 'merging' }, agentKey).expect(409);
      await post(`/tasks/${id}/status`, { status: 'done' }, agentKey).expect(409);
      const { body: events } = await get(`/tasks/${id}/events`, agentKey).expect(200);
      expect(events.at(-1).metadata.actor).toMatchObject({ type: 'agent', id: agent.id });
    });

    it('neither makes nor edits tasks', async () => {
      const { id } = await create();
      await post(`/teams/${team.id}/tasks`, { title: 'x' }, agentKey).expect(403);
      await call('patch', `/tasks/${id}`, { title: 'x' }, agentKey).expect(403);
      await post(`/tasks/${id}/assign`, { assignee_id: agent.id }, agentKey).expect(403);
    });
  });

  it('pages the events', async () => {
    const { id } = await create();
    for (let n = 0; n < 4; n += 1) await call('patch', `/tasks/${id}`, { title: `title ${n}` }).expect(200);
    const first = await get(`/tasks/${id}/events?limit=3`).expect(200);
    expect(first.body).toHaveLength(3);
    const next = /<([^>]+)>/.exec(first.headers['link']!)![1]!;
    const rest = await service.http.get(next).set('X-API-Key', key).expect(200);
    expect(rest.body).toHaveLength(2);
    expect(rest.headers['link']).toBeUndefined();
    expect((await get('/tasks/99999999/events').expect(200)).body).toEqual([]);
  });

  describe('context', () => {
    it('keeps every key of writers at the same time, and any JSON', async () => {
      const { id } = await create();
      const values: unknown[] = [
        null,
        false,
        0,
        '',
        'text',
        [],
        {},
        { deep: [{ a: 'b' }] },
        'back\\u0000slash',
      ];
      await Promise.all(
        values.map((value, n) =>
          post(`/tasks/${id}/context`, { key: `key ${n}`, value }, agentKey).expect(200),
        ),
      );
      const { body } = await get(`/tasks/${id}/context`, agentKey).expect(200);
      expect(body).toEqual({
        task_id: id,
        context: Object.fromEntries(values.map((value, n) => [`key ${n}`, value])),
      });
      const again = await post(`/tasks/${id}/context`, { key: 'key 1', value: 'new' }).expect(200);
      expect(again.body).toEqual({ key: 'key 1', value: 'new', saved: true });
      expect((await get(`/tasks/${id}/context`)).body.context['key 1']).toBe('new');
    });

    it.each([
      [{ value: 1 }, 'key'],
      [{ key: '', value: 1 }, 'key'],
      [{ key: 'x'.repeat(201), value: 1 }, 'key'],
      [{ key: 'a' }, 'value'],
      [{ key: 'a', value: 'x'.repeat(256 * 1024) }, 'value'],
      [{ key: 'a', value: 'nul \0' }, 'value'],
      [{ key: 'a', value: { '\ud800': 1 } }, 'value'],
    ])('refuses what it cannot keep (%#)', async (body, field) => {
      const { id } = await create();
      const answer = await post(`/tasks/${id}/context`, body).expect(422);
      expect(problem(answer).errors[0].field).toBe(field);
    });

    it('keeps at most 1000 keys', async () => {
      const { id } = await create();
      await service.db.query(
        `INSERT INTO task_context (task_id, key, value) SELECT $1, 'key ' || n, '{"value":1}' FROM generate_series(1, 1000) n`,
        [id],
      );
      await post(`/tasks/${id}/context`, { key: 'one more', value: 1 }).expect(422);
      await post(`/tasks/${id}/context`, { key: 'key 7', value: 2 }).expect(200);
    });
  });
});
