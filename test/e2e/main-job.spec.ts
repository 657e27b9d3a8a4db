import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sign } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService } from '../support/child-service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { TEST_SETTINGS } from '../support/service.js';
import { until } from '../support/until.js';

type Json = ReturnType<typeof JSON.parse>;

const PASSWORD = 'a long password of ada';

/** Through the API alone, in a process of its own: nothing is prepared in the database. */
describe('from an issue to the work of an agent, as an operator sees it', () => {
  let directory: string;
  let database: TestDatabase;
  let child: ChildService;
  let api: string;
  let token: string;
  let refresh: string;
  let key: string;
  let hook: { id: string; secret: string };
  let agent: { id: string; name: string };
  let team: string;
  const hidden = new Set<string>([PASSWORD]);

  const send = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { Authorization: `Bearer ${token}` },
  ): Promise<Json> => {
    const answer = await fetch(`${api}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
  const deliver = (payload: Json, headers: Record<string, string> = {}): Promise<Json> => {
    const body = JSON.stringify(payload);
    const signature = sign(hook.secret, body);
    hidden.add(signature.slice('sha256='.length));
    return send('POST', `/webhooks/${hook.id}/receive`, body, {
      'X-GitHub-Event': 'issues',
      'X-GitHub-Delivery': randomUUID(),
      'X-Hub-Signature-256': signature,
      ...headers,
    });
  };
  const done = (task_id: number): Promise<Json> =>
    until(
      async () => {
        const task = await send('GET', `/tasks/${task_id}`);
        return task.status === 'in_review' && task;
      },
      `task ${task_id} to be done`,
      30_000,
    );
  const explain = (delivery_id: string): Promise<Json> =>
    send('GET', `/webhooks/${hook.id}/deliveries/${delivery_id}/explain`);
  const away = async (): Promise<string> =>
    (await send('POST', `/teams/${team}/agents`, { name: `away-${randomUUID()}`, runtime: 'pull' })).id;
  const lines = (): Json[] =>
    child.log
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'main-job-'));
    await chmod(directory, 0o711);
    const commands = { work: { argv: ['/bin/sh', '-c', 'cat > /dev/null; echo soldered'] } };
    await writeFile(join(directory, 'commands.json'), JSON.stringify(commands));
    database = await createTestDatabase();
    child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_COMMANDS_FILE: join(directory, 'commands.json'),
      ENTOURAGE_LOG_LEVEL: 'trace',
    });
    for (const name of ['ENTOURAGE_JWT_SECRET', 'ENTOURAGE_ENCRYPTION_KEY'] as const)
      hidden.add(TEST_SETTINGS[name]!);
    api = `${await child.ready()}/api/v1`;
    const account = { email: 'ada@example.com', name: 'Ada', password: PASSWORD };
    await send('POST', '/auth/register', account, {});
    ({ access_token: token, refresh_token: refresh } = await send('POST', '/auth/login', account, {}));
    hidden.add(token).add(refresh);
    const org = (await send('POST', '/orgs', { name: 'Harbour', slug: 'harbour' })).id;
    team = (await send('POST', `/orgs/${org}/teams`, { name: 'Lighthouse', slug: 'lighthouse' })).id;
    agent = await send('POST', `/teams/${team}/agents`, {
      name: 'grace',
      runtime: 'command',
      runtime_config: { command: 'work' },
    });
    key = (await send('POST', `/auth/orgs/${org}/api-keys`, { name: 'terminal' })).key;
    hidden.add(key);
    hook = await send('POST', '/webhooks', {
      org_id: org,
      team_id: team,
      name: 'lighthouse',
      config: { auto_assign: true, auto_assign_role: 'engineer' },
    });
    hidden.add(hook.secret);
  }, 120_000);
  afterAll(async () => {
    child.signal('SIGKILL');
    await child.exited;
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });

  it('explains a delivery to the end: the task, the agent and why, the run that is over', async () => {
    const { delivery_id, task_id } = await deliver(issueOpened({ title: 'The light is out' }));
    await done(task_id);
    expect(await explain(delivery_id)).toMatchObject({
      delivery_id,
      event_type: 'issues.opened',
      signature: 'valid',
      outcome: { status: 'processed', actions: expect.arrayContaining(['auto-assigned to grace']) },
      task: { id: task_id, title: '[GitHub] The light is out', status: 'in_review', assignee_id: agent.id },
      assignment: { agent: { id: agent.id, name: 'grace' }, why: expect.stringMatching(/\w/) },
      run: {
        id: expect.any(String),
        status: 'succeeded',
        attempt: 1,
        agent_id: agent.id,
        agent_name: 'grace',
        started_at: expect.any(String),
        finished_at: expect.any(String),
        error: null,
      },
    });
  });

  it('counts what happened: deliveries by result, times of the stages, runs, the queue', async () => {
    const guid = { 'X-GitHub-Delivery': randomUUID() };
    const payload = issueOpened();
    await done((await deliver(payload, guid)).task_id);
    await deliver(payload, guid);
    await deliver({ ...payload, action: 'pinned' });
    await expect(deliver(issueOpened(), { 'X-Hub-Signature-256': 'sha256=' })).rejects.toThrow('401');
    await expect(deliver(issueOpened(), { 'Content-Type': 'text/plain' })).rejects.toThrow('415');
    await expect(
      send('POST', `/webhooks/${hook.id}/receive`, 'x'.repeat(25 * 1024 * 1024 + 1), {}),
    ).rejects.toThrow('413');
    const text = await (await fetch(`${api}/../../metrics`)).text();
    const value = (name: string): number => {
      const line = text.split('\n').find((line) => line.startsWith(`${name} `));
      return line === undefined ? NaN : Number(line.slice(name.length));
    };
    for (const [result, least] of Object.entries({
      processed: 1,
      duplicate: 1,
      ignored: 1,
      refused: 1,
      failed: 2,
    }))
      expect(value(`entourage_deliveries_total{result="${result}"}`)).toBeGreaterThanOrEqual(least);
    expect(value('entourage_runs_total{result="succeeded"}')).toBeGreaterThanOrEqual(1);
    for (const stage of ['receive', 'commit', 'dispatch_wait', 'run']) {
      const of = `{stage="${stage}"}`;
      expect(value(`entourage_stage_seconds_count${of}`)).toBeGreaterThanOrEqual(1);
      expect(value(`entourage_stage_seconds_sum${of}`)).toBeGreaterThan(0);
    }
    expect(value('entourage_deliveries_waiting')).toBe(0);
    expect(value('entourage_listener_connected')).toBe(1);
  });

  it('shows how much waits, and since when', async () => {
    await send('POST', `/teams/${team}/tasks`, { title: 'Nobody is there', assignee_id: await away() });
    const metric = async (name: string): Promise<number> =>
      Number(
        new RegExp(`^${name} (\\S+)$`, 'm').exec(await (await fetch(`${api}/../../metrics`)).text())?.[1],
      );
    await until(async () => (await metric('entourage_tasks_waiting')) === 1, 'the task to be counted');
    await until(async () => (await metric('entourage_oldest_waiting_task_seconds')) > 1, 'the task to age');
    expect(await metric('entourage_runs_active')).toBe(0);
    const detailed = await send('GET', '/health/detailed', undefined, {});
    expect(detailed).toMatchObject({ status: 'healthy', queue: { waiting_tasks: 1, active_runs: 0 } });
  });

  it('logs each request and delivery with its ids, and never a secret', async () => {
    const request_id = randomUUID();
    const { delivery_id } = await deliver(issueOpened(), { 'X-Request-ID': request_id });
    await send('GET', '/auth/me', undefined, { 'X-API-Key': key });
    await send('GET', '/auth/me');
    ({ access_token: token, refresh_token: refresh } = await send(
      'POST',
      '/auth/refresh',
      { refresh_token: refresh },
      {},
    ));
    hidden.add(token).add(refresh);
    const wrong = { email: 'ada@example.com', password: 'wrong-password-of-ada' };
    hidden.add(wrong.password);
    await expect(send('POST', '/auth/login', wrong, {})).rejects.toThrow('401');
    const { correlation_id } = await send('GET', `/webhooks/${hook.id}/deliveries/${delivery_id}`);
    await until(() => lines().some((line) => line.request_id === request_id), 'the line of the delivery');
    const line = lines().find((line) => line.request_id === request_id);
    expect(line).toMatchObject({ request_id, correlation_id });
    expect((await child.stop()).code).toBe(0);
    expect(lines().length).toBeGreaterThan(10);
    for (const secret of hidden) expect(child.log + child.said).not.toContain(secret);
    expect(child.log).not.toMatch(/Bearer |"authorization"|x-hub-signature-256":"sha256/i);
  });
});
