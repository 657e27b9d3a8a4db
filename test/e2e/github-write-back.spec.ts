import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  makeWriteBackWorkspace,
  moveTask,
  openIssue,
  saveToken,
  startGithubService,
  TOKEN,
  WHOLE_WAY,
  written,
} from '../factories/github.js';
import { WriteBackWorker } from '../../src/modules/github/write-back/write-back-worker.js';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook } from '../factories/webhooks.js';
import { pullRequestOpened } from '../fixtures/github/payloads.js';
import { type GithubCall, GithubServer } from '../support/github-server.js';
import { type TestService } from '../support/service.js';
import { until } from '../support/until.js';

const creates = ({ method, path }: GithubCall): boolean => method === 'POST' && path.endsWith('/comments');

describe('write-back to GitHub', () => {
  let github: GithubServer;
  let service: TestService;
  beforeAll(async () => {
    github = await GithubServer.start();
    service = await startGithubService();
  });
  afterAll(async () => {
    await service.close();
    await github.close();
  });

  const textOf = (repository: string, number: number): string[] =>
    github
      .commentsOf(repository, number)
      .map(({ body }) => body.replace(/\n\n<!-- entourage:[0-9a-f-]{36} -->$/, ''));

  it('keeps one comment from the first work to the end, then closes the issue and sets the label', async () => {
    const { key, agent, hook } = await makeWriteBackWorkspace(service, github, {
      auto_assign: true,
      write_back: { close: true, label: 'resolved' },
    });
    const { task_id, number, repository } = await openIssue(service, hook);
    await written(service.db, task_id);
    expect(textOf(repository, number)).toEqual([]);
    const claimed = await service.http
      .post(`/api/v1/agents/${agent.id}/claim`)
      .set('X-API-Key', key)
      .send({});
    await until(() => textOf(repository, number).length === 1, 'the comment');
    expect(textOf(repository, number)).toEqual([`\`${agent.name}\` is working on this (task #${task_id})`]);
    await service.http
      .post(`/api/v1/runs/${claimed.body.run.id}/finish`)
      .set('X-API-Key', key)
      .send({ fencing_token: claimed.body.run.fencing_token, status: 'succeeded' })
      .expect(200);
    await until(
      () => textOf(repository, number)[0]!.includes('waits for review'),
      'the comment on the review',
    );
    await moveTask(service, key, task_id, 'in_approval', 'merging', 'done');
    await until(() => textOf(repository, number)[0] === `Resolved in task #${task_id}`, 'the last word');
    await written(service.db, task_id);
    const issue = `${repository}/issues/${number}`;
    expect(github.states.get(issue)).toEqual({ state: 'closed', state_reason: 'completed' });
    expect(github.labels.get(issue)).toEqual(['resolved']);
    expect(textOf(repository, number)).toHaveLength(1);
    // Nothing in it is looked for when nothing was lost.
    expect(github.called('GET', new RegExp(`${issue}/comments`))).toEqual([]);
    const { body } = await service.http
      .get(`/api/v1/tasks/${task_id}/write-back`)
      .set('X-API-Key', key)
      .expect(200);
    expect(body).toMatchObject({ status: 'current', closed: true, last_error: null, due_at: null });
    expect(body.comment_url).toMatch(/^https:\/\/github.example.com\/comment\/\d+$/);

    await service.http.post(`/api/v1/tasks/${task_id}/archive`).set('X-API-Key', key).expect(200);
    await written(service.db, task_id);
    expect(github.called('PATCH', new RegExp(`${issue}$`))).toHaveLength(1);
    expect(textOf(repository, number)).toEqual([`Resolved in task #${task_id}`]);
  });

  it('names the sub-tasks that were done, once the last of them closes their parent', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const { task_id, number, repository } = await openIssue(service, hook);
    await moveTask(service, key, task_id, 'in_progress');
    const { body } = await service.http
      .post(`/api/v1/tasks/${task_id}/decompose`)
      .set('X-API-Key', key)
      .send({ subtasks: ['Wire', 'Lamp', 'Paint'].map((title) => ({ title })) })
      .expect(201);
    const [wire, lamp, paint] = body.map((task: { id: number }) => task.id);
    await moveTask(service, key, paint, 'cancelled');
    await moveTask(service, key, wire, ...WHOLE_WAY);
    await moveTask(service, key, lamp, ...WHOLE_WAY);
    await until(
      () => textOf(repository, number)[0] === `Resolved in tasks #${task_id}-#${lamp}`,
      'the last word',
    );
    expect([wire, lamp, paint]).toEqual([task_id + 1, task_id + 2, task_id + 3]);
  });

  it('comments on a pull request too, and does not close it', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github, { write_back: { close: true } });
    const payload = pullRequestOpened();
    const { body } = await deliver(service, hook, 'pull_request', payload).expect(200);
    await moveTask(service, key, body.task_id, ...WHOLE_WAY);
    await written(service.db, body.task_id);
    const { number } = payload.pull_request;
    expect(textOf(payload.repository.full_name, number)).toEqual([`Resolved in task #${body.task_id}`]);
    expect(github.states.has(`${payload.repository.full_name}/issues/${number}`)).toBe(false);
  });

  it('writes nothing for a webhook that does not ask for it', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github, { write_back: false });
    const { task_id } = await openIssue(service, hook);
    await moveTask(service, key, task_id, ...WHOLE_WAY);
    expect(await service.db.query('SELECT FROM github_write_backs WHERE task_id = $1', [task_id])).toEqual(
      [],
    );
    await service.http.get(`/api/v1/tasks/${task_id}/write-back`).set('X-API-Key', key).expect(404);
  });

  it('says who is needed, and never why a run failed', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const { task_id, number, repository } = await openIssue(service, hook);
    await moveTask(service, key, task_id, 'in_progress');
    await written(service.db, task_id);
    await service.db.query(
      `WITH t AS (UPDATE tasks SET status = 'todo', hold_reason = 'attempts_exhausted', last_error = 'password hunter2'
         WHERE id = $1 RETURNING *)
       INSERT INTO task_events (org_id, task_id, type, metadata) SELECT org_id, id, 'task.status_changed', '{}' FROM t`,
      [task_id],
    );
    await until(() => textOf(repository, number)[0]!.includes('failed'), 'the comment on the failure');
    expect(JSON.stringify(github.commentsOf(repository, number))).not.toContain('hunter2');
    await service.http.post(`/api/v1/tasks/${task_id}/release`).set('X-API-Key', key).expect(200);
    await until(
      () => textOf(repository, number)[0]!.includes('waits for an agent again'),
      'the comment on the wait',
    );
    await moveTask(service, key, task_id, 'cancelled');
    await until(() => textOf(repository, number)[0]!.includes('was cancelled'), 'the comment on the end');
  });

  it('makes one comment also when the answer to the first was lost', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const { task_id, number, repository } = await openIssue(service, hook);
    github.fail({ matches: creates, kind: 'reset-after' });
    await moveTask(service, key, task_id, 'in_progress');
    await until(async () => {
      const [row] = await service.db.query('SELECT * FROM github_write_backs WHERE task_id = $1', [task_id]);
      return row.status === 'retrying' && row;
    }, 'the failure to be noted');
    expect(github.commentsOf(repository, number)).toHaveLength(1);
    await moveTask(service, key, task_id, 'in_review');
    await written(service.db, task_id);
    expect(github.commentsOf(repository, number)).toHaveLength(1);
    expect(textOf(repository, number)[0]).toMatch(/waits for review/);
  });

  it('makes a new comment when ours was deleted', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const { task_id, number, repository } = await openIssue(service, hook);
    await moveTask(service, key, task_id, 'in_progress');
    await written(service.db, task_id);
    github.comments.delete(`${repository}/issues/${number}`);
    await moveTask(service, key, task_id, 'in_review');
    await written(service.db, task_id);
    expect(textOf(repository, number)).toEqual([`The work on this waits for review (task #${task_id})`]);
  });

  it.each(['secondary', 'primary'] as const)(
    'heeds a %s rate limit for the whole organization, and for no other',
    async (kind) => {
      const limited = await makeWriteBackWorkspace(service, github);
      const other = await makeWriteBackWorkspace(service, github);
      const first = await openIssue(service, limited.hook);
      const second = await openIssue(service, limited.hook);
      const others = await openIssue(service, other.hook);
      const mine = new RegExp(`issues/(${first.number}|${second.number})/`);
      github.fail({ matches: (call) => creates(call) && mine.test(call.path), kind, retry_after: 3 });
      await moveTask(service, limited.key, first.task_id, 'in_progress');
      await written(service.db, first.task_id, 'paused');
      const { body } = await service.http
        .get(`/api/v1/orgs/${limited.org.id}/github-credentials`)
        .set('X-API-Key', limited.key)
        .expect(200);
      expect(Date.parse(body.paused_until)).toBeGreaterThan(Date.now());
      await moveTask(service, limited.key, second.task_id, 'in_progress');
      await moveTask(service, other.key, others.task_id, 'in_progress');
      await until(
        () => github.commentsOf(others.repository, others.number).length === 1,
        "the other's comment",
      );
      expect(github.calls.filter((call) => mine.test(call.path))).toHaveLength(1);
      await written(service.db, first.task_id);
      await written(service.db, second.task_id);
      const calls = github.calls.filter((call) => creates(call) && mine.test(call.path));
      expect(calls).toHaveLength(3);
      expect(calls[1]!.at - calls[0]!.at).toBeGreaterThan(2_000);
      const [row] = await service.db.query('SELECT failures FROM github_write_backs WHERE task_id = $1', [
        first.task_id,
      ]);
      expect(row.failures).toBe(0);
    },
  );

  it('tries again after a failure of GitHub, and gives up what it refuses', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const one = await openIssue(service, hook);
    const path = new RegExp(`issues/${one.number}/`);
    github.fail({ matches: (call) => path.test(call.path), kind: 'status', status: 502 });
    await moveTask(service, key, one.task_id, 'in_progress');
    expect(await written(service.db, one.task_id, 'retrying')).toMatchObject({
      failures: 1,
      last_error: 'GitHub answered 502: It failed, says GitHub.',
    });
    await written(service.db, one.task_id);

    const two = await openIssue(service, hook);
    github.fail({
      matches: (call) => call.path.includes(`issues/${two.number}/`),
      kind: 'status',
      status: 403,
      message: 'Unable to create comment because issue is locked.',
    });
    await moveTask(service, key, two.task_id, 'in_progress');
    expect(await written(service.db, two.task_id, 'failed')).toMatchObject({
      last_error: 'GitHub answered 403: Unable to create comment because issue is locked.',
      due_at: null,
    });
    // The next change of the task is another chance.
    await moveTask(service, key, two.task_id, 'in_review');
    await written(service.db, two.task_id);
    expect(textOf(two.repository, two.number)).toHaveLength(1);
  });

  it('waits for credentials, and catches up when they are saved or mended', async () => {
    const workspace = await makeWorkspace(service.db);
    const { key, org, team } = workspace;
    const hook = await makeWebhook(service, key, {
      org_id: org.id,
      team_id: team.id,
      config: { write_back: true },
    });
    const { task_id, number, repository } = await openIssue(service, hook);
    await moveTask(service, key, task_id, 'in_progress');
    expect(await written(service.db, task_id, 'waiting')).toMatchObject({ due_at: null, failures: 0 });
    await saveToken(service, workspace, github, 'ghp_wrong');
    expect(await written(service.db, task_id, 'retrying')).toMatchObject({
      last_error: 'GitHub answered 401: Bad credentials',
    });
    const shown = await service.http.get(`/api/v1/orgs/${org.id}/github-credentials`).set('X-API-Key', key);
    expect(shown.body.last_error).toBe('GitHub answered 401: Bad credentials');
    await saveToken(service, workspace, github, TOKEN);
    await written(service.db, task_id);
    expect(github.commentsOf(repository, number)).toHaveLength(1);
    await service.http.delete(`/api/v1/orgs/${org.id}/github-credentials`).set('X-API-Key', key).expect(200);
    await moveTask(service, key, task_id, 'in_review');
    expect(await written(service.db, task_id, 'waiting')).toMatchObject({ due_at: null });
  });

  it('makes one comment with many processes on one database', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const second = await startGithubService({ DATABASE_URL: service.settings.DATABASE_URL });
    try {
      const issues = await Promise.all(Array.from({ length: 6 }, () => openIssue(service, hook)));
      await Promise.all(
        issues.map(({ task_id }, place) =>
          moveTask(place % 2 === 0 ? service : second, key, task_id, ...WHOLE_WAY),
        ),
      );
      for (const { task_id, number, repository } of issues) {
        await written(service.db, task_id);
        expect(textOf(repository, number)).toEqual([`Resolved in task #${task_id}`]);
      }
    } finally {
      await second.close();
    }
  });

  it('gives its work back when it is stopped, and the next process goes on', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github);
    const { task_id, number, repository } = await openIssue(service, hook);
    await written(service.db, task_id);
    const worker = service.app.get(WriteBackWorker);
    await worker.stop();
    const second = await startGithubService({
      DATABASE_URL: service.settings.DATABASE_URL,
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: 0.2,
    });
    const { length } = github.calls;
    github.fail({ matches: creates, kind: 'hang-after' });
    await moveTask(service, key, task_id, 'in_progress');
    await until(() => github.calls.length > length, 'GitHub to be called');
    const began = Date.now();
    await second.close();
    expect(Date.now() - began).toBeLessThan(5_000);
    const [row] = await service.db.query('SELECT * FROM github_write_backs WHERE task_id = $1', [task_id]);
    expect(row).toMatchObject({ lease: null, status: 'pending', failures: 0, comment_id: null });
    worker.start();
    worker.start();
    await written(service.db, task_id);
    expect(github.commentsOf(repository, number)).toHaveLength(1);
  });

  it('starts nothing by its own comments, label and closing', async () => {
    const { key, hook } = await makeWriteBackWorkspace(service, github, {
      lifecycle: 'sync',
      label_priorities: { resolved: 'critical' },
      write_back: { close: true, label: 'resolved' },
    });
    const { task_id, payload } = await openIssue(service, hook);
    await moveTask(service, key, task_id, ...WHOLE_WAY);
    await written(service.db, task_id);
    const before = await service.db.query(
      'SELECT * FROM tasks WHERE team_id = (SELECT team_id FROM tasks WHERE id = $1)',
      [task_id],
    );
    const send = async (event: string, extra: object): Promise<string> =>
      (await deliver(service, hook, event, { ...payload, changes: undefined, ...extra }).expect(200)).body
        .reason;
    const later = { updated_at: new Date(Date.now() + 60_000).toISOString() };
    const label = { name: 'Resolved' };
    expect(await send('issue_comment', { action: 'created', comment: { id: 1, body: 'Resolved' } })).toBe(
      'no_effect',
    );
    expect(await send('issue_comment', { action: 'edited', comment: { id: 1, body: 'Resolved' } })).toBe(
      'no_effect',
    );
    expect(await send('issues', { action: 'labeled', label })).toBe('own_write_back');
    expect(await send('issues', { action: 'unlabeled', label })).toBe('own_write_back');
    const closed = { ...payload.issue, ...later, state: 'closed', state_reason: 'completed' };
    expect(await send('issues', { action: 'closed', issue: closed })).toBe('no_change');
    expect(
      await service.db.query(
        'SELECT * FROM tasks WHERE team_id = (SELECT team_id FROM tasks WHERE id = $1)',
        [task_id],
      ),
    ).toEqual(before);
  });
});
