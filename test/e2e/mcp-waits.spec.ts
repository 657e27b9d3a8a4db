import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TaskWaits } from '../../src/modules/mcp/task-waits.js';
import { type Task, type TaskStatus } from '../../src/modules/tasks/task.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/tasks.facade.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { asAdmin } from '../support/database.js';
import { withKey } from '../support/login.js';
import { McpClient } from '../support/mcp-client.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('waiting for a task through MCP', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let mcp: McpClient;

  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_POLL_SECONDS: 600, ENTOURAGE_ROLES: ['api'] });
    workspace = await makeWorkspace(service.db);
  });
  beforeEach(async () => {
    mcp = await McpClient.connect(service.url, withKey(workspace.key));
  });
  afterEach(() => mcp.close());
  afterAll(() => service.close());

  const task = (): Promise<Task> => makeTask(service.db, workspace.team, {});
  const waiting = (of = service): number => of.app.get(TaskWaits, { strict: false }).waiting;
  const move = (task_id: number, to: TaskStatus): Promise<unknown> =>
    service.db.transaction((manager) =>
      service.app
        .get(TaskTransitions, { strict: false })
        .transition(manager, { task_id, to, actor: { type: 'user', id: 'someone' } }),
    );

  it('ends the moment the task does, and tells of the way there', async () => {
    const { id } = await task();
    const told: string[] = [];
    const answer = mcp.call(
      'wait_for_task_completion',
      { task_id: id },
      { onprogress: ({ message }: { message?: string }) => told.push(message ?? '') },
    );
    await until(() => told.length === 1, 'the first sign of the wait');
    await move(id, 'in_progress');
    await until(() => told.length === 2, 'the sign of the change');
    expect(told).toEqual([`task ${id} is todo`, `task ${id} is in_progress`]);
    const began = performance.now();
    await move(id, 'in_review');
    expect((await answer).data).toMatchObject({ id, status: 'in_review', timed_out: false });
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(waiting()).toBe(0);
  });

  it('ends at a change of any kind, and at once when it has been', async () => {
    const { id } = await task();
    const answer = mcp.call('wait_for_task', { task_id: id });
    await until(() => waiting() === 1, 'the call to wait');
    await move(id, 'cancelled');
    expect((await answer).data).toMatchObject({ status: 'cancelled', timed_out: false });
    const late = await mcp.call('wait_for_task', { task_id: id, known_status: 'todo' });
    expect(late.data).toMatchObject({ status: 'cancelled', timed_out: false });
  });

  it('ends at its time limit', async () => {
    const { id } = await task();
    const answer = await mcp.call('wait_for_task', { task_id: id, timeout_seconds: 0.1 });
    expect(answer.data).toMatchObject({ status: 'todo', timed_out: true });
  });

  it('ends when the client goes away', async () => {
    const { id } = await task();
    const answer = mcp.call('wait_for_task', { task_id: id }).catch(() => 'gone');
    await until(() => waiting() === 1, 'the call to wait');
    await mcp.close();
    await until(() => waiting() === 0, 'the service to notice');
    expect(await answer).toBe('gone');
  });

  it('costs one statement at a change, however many wait', async () => {
    const { id } = await task();
    const others = await Promise.all(Array.from({ length: 10 }, task));
    const answers = [...Array.from({ length: 10 }, () => id), ...others.map((other) => other.id)].map(
      (task_id) => mcp.call('wait_for_task', { task_id }),
    );
    await until(() => waiting() === 20, 'all to wait');
    const query = jest.spyOn(service.db, 'query');
    await move(id, 'in_progress');
    await Promise.all(answers.slice(0, 10));
    const looks = query.mock.calls.filter(([sql]) => sql.startsWith('SELECT id, status FROM tasks'));
    query.mockRestore();
    expect(looks).toHaveLength(1);
    expect(waiting()).toBe(10);
    for (const other of others) await move(other.id, 'cancelled');
    await Promise.all(answers);
  });

  it('hears of what happened while the connection that listens was lost', async () => {
    const { id } = await task();
    const answer = mcp.call('wait_for_task', { task_id: id });
    await until(() => waiting() === 1, 'the call to wait');
    await service.db.query(`UPDATE tasks SET status = 'cancelled' WHERE id = $1`, [id]);
    await asAdmin(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'entourage-listen' AND datname = $1`,
      [new URL(service.settings.DATABASE_URL).pathname.slice(1)],
    );
    expect((await answer).data).toMatchObject({ status: 'cancelled' });
  });

  it('does not hold up a shutdown', async () => {
    const second = await startTestService({
      DATABASE_URL: service.settings.DATABASE_URL,
      ENTOURAGE_POLL_SECONDS: 600,
      ENTOURAGE_ROLES: ['api'],
    });
    const client = await McpClient.connect(second.url, withKey(workspace.key));
    const { id } = await task();
    const answer = client.call('wait_for_task', { task_id: id }).catch(() => 'gone');
    await until(() => waiting(second) === 1, 'the call to wait');
    await client.close();
    await second.close();
    expect(waiting(second)).toBe(0);
    await answer;
  });
});
