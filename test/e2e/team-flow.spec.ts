import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeMembership, makeUser } from '../factories/accounts.js';
import { makeWriteBackWorkspace, openIssue, startGithubService } from '../factories/github.js';
import { makeOutboundWebhook } from '../factories/outbound.js';
import { git, makeRepository } from '../factories/repositories.js';
import { GithubServer } from '../support/github-server.js';
import { asUser } from '../support/login.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { type TestService } from '../support/service.js';
import { until } from '../support/until.js';

type Json = ReturnType<typeof JSON.parse>;

/**
 * The whole product in one go, with the agents of examples/agents/team as programs that work through MCP, a real
 * repository, a person who reviews, a GitHub-like server and an outside system that is told.
 */
describe('a team at work', () => {
  let directory: string;
  let github: GithubServer;
  let service: TestService;
  let receiver: Receiver;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'team-flow-'));
    const program = (name: string): object => ({
      argv: [process.execPath, join(process.cwd(), 'examples/agents/team', `${name}.mjs`)],
      timeout_seconds: 60,
    });
    const commands = join(directory, 'commands.json');
    writeFileSync(commands, JSON.stringify({ manager: program('manager'), engineer: program('engineer') }));
    github = await GithubServer.start();
    receiver = await startReceiver();
    service = await startGithubService({
      ENTOURAGE_COMMANDS_FILE: commands,
      ENTOURAGE_REPOS_DIR: directory,
      ENTOURAGE_POLL_SECONDS: 600,
    });
  });
  afterAll(async () => {
    await service.close();
    await receiver.close();
    await github.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('from the signed payload to the edited comment, all of it under one correlation id', async () => {
    const { org, team, agent, key, hook } = await makeWriteBackWorkspace(service, github, {
      auto_assign: true,
      auto_assign_role: 'manager',
      write_back: { close: true, label: 'resolved' },
    });
    await service.db.query('DELETE FROM agents WHERE id = $1', [agent.id]);
    const person = await makeUser(service.db, { name: 'Ada' });
    await makeMembership(service.db, org.id, person.id, 'owner');
    const call = async (method: 'get' | 'post' | 'patch', path: string, body?: object): Promise<Json> => {
      const answer = await service.http[method](`/api/v1${path}`).set(asUser(person)).send(body);
      if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.text}`);
      return answer.body;
    };
    const path = join(directory, 'lighthouse');
    await makeRepository(service.db, team, path);
    await call('patch', `/settings/teams/${team.id}`, { require_review: true, auto_merge: true });
    for (const [name, role, command] of [
      ['grace', 'manager', 'manager'],
      ['linus', 'engineer', 'engineer'],
      ['margaret', 'engineer', 'engineer'],
    ])
      await call('post', `/teams/${team.id}/agents`, {
        name,
        role,
        runtime: 'command',
        runtime_config: { command },
      });
    await makeOutboundWebhook(service, key, {
      org_id: org.id,
      url: receiver.url,
      events: ['task.completed', 'review.requested', 'review.verdict'],
      rate_per_second: 100,
    });

    const { task_id, number, repository } = await openIssue(service, hook);
    const subtasks = await until(
      async () => {
        const found: Json[] = await call('get', `/tasks/${task_id}/subtasks`);
        return found.length === 2 && found.every(({ status }) => status === 'in_review') && found;
      },
      'both engineers to ask for review',
      40_000,
    );
    const [first, second] = subtasks.map(({ id }) => id).toSorted((a, b) => a - b);
    expect(await call('get', `/tasks/${task_id}`)).toMatchObject({ status: 'in_progress' });

    // Nobody gets past the review, not even by hand.
    const early = await service.http
      .post(`/api/v1/tasks/${first}/status`)
      .set(asUser(person))
      .send({ status: 'in_approval' });
    expect([early.status, early.body.code]).toEqual([409, 'review_required']);

    const [review] = await call('get', `/tasks/${first}/reviews`);
    await call('post', `/reviews/${review.id}/comments`, {
      author_id: person.id,
      author_type: 'user',
      content: 'Say why, too',
      file_path: `task-${first}.md`,
      line_number: 1,
    });
    await call('post', `/reviews/${review.id}/verdict`, { verdict: 'request_changes', summary: 'Nearly' });
    await call('post', `/tasks/${second}/approve`, {});
    await until(
      async () => {
        const [latest] = await call('get', `/tasks/${first}/reviews`);
        const task = await call('get', `/tasks/${first}`);
        return latest.attempt === 2 && task.status === 'in_review';
      },
      'the rework to be up for review',
      40_000,
    );
    await call('post', `/tasks/${first}/approve`, {});

    await until(
      async () => (await call('get', `/tasks/${task_id}`)).status === 'done',
      'the parent to close',
      40_000,
    );
    expect(git(path, 'show', `main:task-${first}.md`)).toContain('- what the review asked for');
    expect(git(path, 'show', `main:task-${second}.md`)).toMatch(/^# /);
    expect(git(path, 'status', '--porcelain')).toBe('');
    await until(
      () =>
        github
          .commentsOf(repository, number)[0]
          ?.body.startsWith(`Resolved in tasks #${task_id}-#${second}\n`),
      'the comment on the issue',
      20_000,
    );
    await until(
      () =>
        github.states.get(`${repository}/issues/${number}`)?.state === 'closed' &&
        github.labels.get(`${repository}/issues/${number}`)?.includes('resolved'),
      'the issue to be closed, with its label',
    );
    expect(github.commentsOf(repository, number)).toHaveLength(1);

    const timeline: Json[] = await call('get', `/tasks/${task_id}/timeline?limit=200`);
    expect(new Set(timeline.map((event) => event.metadata.correlation_id)).size).toBe(1);
    const told = (of: number): string[] =>
      timeline.filter((event) => event.task_id === of).map(({ type }) => type);
    expect(told(task_id)).toEqual(
      expect.arrayContaining([
        'task.created',
        'task.assigned',
        'run.started',
        'task.decomposed',
        'run.succeeded',
      ]),
    );
    for (const type of [
      'review.requested',
      'review.verdict',
      'review.feedback_sent',
      'merge.queued',
      'merge.succeeded',
    ])
      expect(told(first)).toContain(type);
    expect(told(first).filter((type) => type === 'run.started')).toHaveLength(2);
    expect(timeline.at(-1)).toMatchObject({
      task_id,
      type: 'task.status_changed',
      data: { to: 'done', reason: 'subtasks_done' },
    });
    await until(
      () => receiver.received.filter(({ json }) => json.event === 'task.completed').length === 3,
      'the outside system to hear of all three',
    );
    const completed = receiver.received.filter(({ json }) => json.event === 'task.completed');
    expect(completed.map(({ json }) => json.task_id).toSorted((a, b) => a - b)).toEqual([
      task_id,
      first,
      second,
    ]);
    expect(receiver.received.filter(({ json }) => json.event === 'review.requested')).toHaveLength(3);
    expect(receiver.received.filter(({ json }) => json.event === 'review.verdict')).toHaveLength(3);
    const [agents] = await service.db.query(
      `SELECT count(*) FILTER (WHERE status <> 'idle')::int AS busy,
         (SELECT count(*)::int FROM agent_runs WHERE finished_at IS NULL) AS running,
         (SELECT count(*)::int FROM api_keys WHERE run_id IS NOT NULL) AS keys FROM agents`,
    );
    expect(agents).toEqual({ busy: 0, running: 0, keys: 0 });
  }, 180_000);
});
