import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Tool } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSource } from 'typeorm';
import { TOOLS } from '../../src/modules/mcp/tools/index.js';
import { type TaskStatus } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeMembership, makeUser, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startBuiltService } from '../support/built-service.js';
import { saveToken, startGithubService } from '../factories/github.js';
import { commit, git, makeRepository } from '../factories/repositories.js';
import { GithubServer } from '../support/github-server.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { asUser, withKey } from '../support/login.js';
import { until } from '../support/until.js';
import { type Answer, type Args, McpClient } from '../support/mcp-client.js';

const NOBODY = '00000000-0000-4000-8000-000000000000';

describe('the tools', () => {
  let database: TestDatabase;
  let db: DataSource;
  let service: { url: string; stop(): Promise<void> };
  let repositories: string;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let mcp: McpClient;
  let user: McpClient;
  let agent: McpClient;
  let listed: Map<string, Tool>;
  const called = new Set<string>();
  const refused = new Set<string>();

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    repositories = await realpath(await mkdtemp(join(tmpdir(), 'mcp-repos-')));
    service = await startBuiltService({
      DATABASE_URL: database.url,
      ENTOURAGE_ROLES: 'api',
      ENTOURAGE_REPOS_DIR: repositories,
    });
    workspace = await makeWorkspace(db);
    const owner = await makeUser(db);
    await makeMembership(db, workspace.org.id, owner.id);
    const { key } = await makeApiKey(db, workspace.org.id, ['agent'], { agent_id: workspace.agent.id });
    mcp = await McpClient.connect(service.url, withKey(workspace.key));
    user = await McpClient.connect(service.url, asUser(owner));
    agent = await McpClient.connect(service.url, withKey(key));
    listed = new Map((await mcp.client.listTools()).tools.map((tool) => [tool.name, tool]));
  });
  afterAll(async () => {
    for (const client of [mcp, user, agent]) await client?.close();
    await service?.stop();
    await db?.destroy();
    await database?.drop();
    await rm(repositories, { recursive: true, force: true });
  });

  const ok = async (name: string, args: Args = {}, as = mcp): Promise<Answer['data']> => {
    const answer = await as.call(name, args);
    if (answer.isError) throw new Error(`${name}: ${answer.text}`);
    called.add(name);
    return answer.data;
  };
  const fails = async (name: string, args: Args, code: string, as = mcp): Promise<string> => {
    const { isError, text } = await as.call(name, args);
    expect([name, isError, text]).toEqual([name, true, expect.stringMatching(/^Error: API error \d{3}: \{/)]);
    expect(text).toContain(`"code":"${code}"`);
    refused.add(name);
    return text;
  };
  const task = (status: TaskStatus = 'todo', assignee_id: string | null = null) =>
    makeTask(db, workspace.team, { status, assignee_id });

  it('are those of the contract and ours, each with a route', () => {
    expect(TOOLS.map(({ name }) => name).filter((name) => !listed.has(name))).toEqual([]);
    const names = TOOLS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('each have a title, a description, valid schemas and annotations', () => {
    const validator = new AjvJsonSchemaValidator();
    for (const tool of listed.values()) {
      expect(tool).toMatchObject({
        title: expect.stringMatching(/^[A-Z]/),
        description: expect.stringMatching(/.{40,}\.$/s),
        inputSchema: { type: 'object' },
        outputSchema: { type: 'object' },
        annotations: {
          title: tool.title,
          readOnlyHint: expect.any(Boolean),
          destructiveHint: expect.any(Boolean),
          idempotentHint: expect.any(Boolean),
          openWorldHint: expect.any(Boolean),
        },
      });
      for (const schema of [tool.inputSchema, tool.outputSchema!])
        expect(validator.getValidator(schema as object)).toBeInstanceOf(Function);
      expect([tool.name, Object.keys(tool.outputSchema!.properties ?? {}).length]).not.toContain(0);
      for (const [name, schema] of Object.entries(tool.inputSchema.properties ?? {}))
        expect([tool.name, name, schema]).toEqual([
          tool.name,
          name,
          expect.objectContaining({ description: expect.any(String) }),
        ]);
    }
  });

  it('take the arguments of the contract, with its defaults', () => {
    const argumentsOf = (name: string): Args => {
      const { properties = {}, required = [] } = listed.get(name)!.inputSchema as {
        properties?: Record<string, { default?: unknown }>;
        required?: string[];
      };
      return Object.fromEntries(
        Object.entries(properties).map(([argument, schema]) => [
          argument,
          required.includes(argument) ? 'required' : (schema.default ?? 'optional'),
        ]),
      );
    };
    expect(argumentsOf('create_task')).toEqual({
      team_id: 'required',
      title: 'required',
      description: '',
      priority: 'medium',
      assignee_id: 'optional',
      depends_on: [],
      tags: [],
    });
    expect(argumentsOf('wait_for_task_completion')).toEqual({
      task_id: 'required',
      timeout_seconds: 3600,
      terminal_statuses: ['done', 'cancelled', 'archived', 'in_review'],
    });
    expect(argumentsOf('get_inbox')).toMatchObject({ agent_id: 'required', unprocessed_only: true });
    expect(argumentsOf('register_repo')).toMatchObject({ default_branch: 'main' });
    expect(argumentsOf('create_agent')).toMatchObject({ role: 'engineer', model: 'optional' });
  });

  it('tell who calls, and who there is', async () => {
    const { org, team } = workspace;
    expect(await ok('ping')).toMatchObject({ status: 'healthy' });
    expect(await ok('whoami')).toMatchObject({ type: 'api_key', org_id: org.id });
    expect(await ok('whoami', {}, user)).toMatchObject({ type: 'user' });
    expect(await ok('authenticate', { api_key: workspace.key }, user)).toMatchObject({ type: 'api_key' });
    await fails('authenticate', { api_key: 'oc_wrong' }, 'invalid_api_key');
    expect((await ok('list_orgs')).items).toEqual([expect.objectContaining({ id: org.id })]);
    const made = await ok('create_org', { name: 'Harbour', slug: 'harbour' }, user);
    await fails('create_org', { name: 'Harbour', slug: 'harbour' }, 'slug_taken', user);
    await ok('create_team', { org_id: made.id, name: 'Pier', slug: 'pier' }, user);
    await fails('create_team', { org_id: org.id, name: 'x', slug: 'Not a slug' }, 'validation_failed');
    expect((await ok('list_teams', { org_id: org.id })).items).toHaveLength(1);
    await fails('list_teams', { org_id: made.id }, 'organization_not_found');
    expect(await ok('get_team', { team_id: team.id })).toMatchObject({ id: team.id, agents: [{}] });
    await fails('get_team', { team_id: NOBODY }, 'team_not_found');
    expect(await ok('create_agent', { team_id: team.id, name: 'ada' })).toMatchObject({ role: 'engineer' });
    await fails('create_agent', { team_id: team.id, name: 'ada' }, 'name_taken');
    for (const name of ['list_agents', 'list_team_agents']) {
      expect((await ok(name, { team_id: team.id })).items).toHaveLength(2);
      await fails(name, { team_id: NOBODY }, 'team_not_found');
    }
    const first = await ok('list_agents', { team_id: team.id, limit: 1 });
    const second = await ok('list_agents', { team_id: team.id, limit: 1, cursor: first.next_cursor });
    expect([...first.items, ...second.items].map(({ name }: { name: string }) => name)).toContain('ada');
    expect(second.next_cursor).toBeUndefined();
  });

  it('register repositories and webhooks', async () => {
    const { org, team } = workspace;
    const local_path = join(repositories, 'one');
    execFileSync('git', ['init', '-q', '-b', 'main', local_path]);
    const { id } = await ok('register_repo', { team_id: team.id, name: 'one', local_path });
    await fails('register_repo', { team_id: team.id, name: 'two', local_path: '/etc' }, 'validation_failed');
    expect((await ok('list_repos', { team_id: team.id })).items).toEqual([expect.objectContaining({ id })]);
    await fails('list_repos', { team_id: 'one' }, 'validation_failed');
    const webhook = await ok('create_webhook', { org_id: org.id, name: 'w', events: ['issues'] });
    expect(webhook.secret).toMatch(/^whsec_/);
    await fails('create_webhook', { org_id: NOBODY, name: 'w' }, 'organization_not_found');
    const { items } = await ok('list_webhooks', { org_id: org.id, active_only: true });
    expect(items).toHaveLength(1);
    expect(JSON.stringify(items)).not.toContain(webhook.secret);
    await fails('list_webhooks', { org_id: NOBODY }, 'organization_not_found');
    expect(await ok('update_webhook', { webhook_id: webhook.id, active: false })).toMatchObject({
      active: false,
    });
    await fails('update_webhook', { webhook_id: NOBODY }, 'webhook_not_found');
  });

  it('make, read and move tasks', async () => {
    const { team } = workspace;
    const team_id = team.id;
    const one = await ok('create_task', { team_id, title: 'One' });
    await fails('create_task', { team_id, title: '' }, 'validation_failed');
    const tasks = [
      { title: 'A', tags: ['x'] },
      { title: 'B', depends_on_indices: [0] },
    ];
    const [a, b] = (await ok('create_tasks_batch', { team_id, tasks })).items;
    await fails('create_tasks_batch', { team_id, tasks: [{}] }, 'validation_failed');
    expect((await ok('list_tasks', { team_id, status: 'todo' })).items).toHaveLength(3);
    await fails('list_tasks', { team_id: NOBODY }, 'team_not_found');
    // Models write ids as text, and null for nothing.
    expect(await ok('get_task', { task_id: String(b.id), status: null })).toMatchObject({
      depends_on: [a.id],
    });
    await fails('get_task', { task_id: 987_654 }, 'task_not_found');
    expect((await ok('get_dependent_tasks', { task_id: b.id })).items).toEqual([
      { id: a.id, title: 'A', status: 'todo' },
    ]);
    await fails('get_dependent_tasks', { task_id: 987_654 }, 'task_not_found');
    expect(await ok('update_task', { task_id: a.id, priority: 'high', title: null })).toMatchObject({
      title: 'A',
      priority: 'high',
    });
    await fails('update_task', { task_id: a.id, priority: 'soon' }, 'validation_failed');
    const blocked = await fails(
      'change_task_status',
      { task_id: b.id, status: 'in_progress' },
      'blocked_by_dependencies',
    );
    expect(blocked).toContain('\n\nWhat to do: Wait for the tasks named, with wait_for_task_completion');
    expect(await ok('change_task_status', { task_id: one.id, status: 'cancelled' })).toMatchObject({
      status: 'cancelled',
    });
    expect(await ok('archive_task', { task_id: one.id })).toMatchObject({ status: 'archived' });
    await fails('archive_task', { task_id: a.id }, 'task_not_archivable');
    expect(await ok('assign_task', { task_id: b.id, assignee_id: workspace.agent.id })).toMatchObject({
      assignee_id: workspace.agent.id,
    });
    await fails('assign_task', { task_id: b.id, assignee_id: NOBODY }, 'validation_failed');
    const events = await ok('get_task_events', { task_id: one.id });
    expect(events.items[0]).toMatchObject({ type: 'task.created' });
    await fails('get_task_events', { task_id: 0 }, 'validation_failed');
    const plan = { task_id: a.id, idempotency_key: 'plan', subtasks: [{ title: 'A1', role: 'engineer' }] };
    const { items: made } = await ok('decompose_task', plan);
    expect((await ok('decompose_task', plan)).items).toEqual(made);
    await fails('decompose_task', { task_id: a.id, subtasks: [] }, 'validation_failed');
    expect((await ok('list_subtasks', { task_id: a.id })).items).toMatchObject([{ id: made[0].id }]);
    await fails('list_subtasks', { task_id: 987_654 }, 'task_not_found');
    expect(JSON.stringify(await ok('get_timeline', { task_id: a.id }))).toContain(`"task_id":${made[0].id}`);
    await fails('get_timeline', { task_id: 987_654 }, 'task_not_found');
    for (const value of [{ step: 2 }, null, 'text']) {
      await ok('save_context', { task_id: a.id, key: 'plan', value });
      expect((await ok('get_context', { task_id: a.id })).context).toEqual({ plan: value });
    }
    await fails('save_context', { task_id: a.id, key: 'plan' }, 'validation_failed');
    await fails('get_context', { task_id: 987_654 }, 'task_not_found');
    expect(await ok('wait_for_task', { task_id: a.id, known_status: 'done' })).toMatchObject({
      timed_out: false,
    });
    await fails('wait_for_task', { task_id: 987_654 }, 'task_not_found');
    expect(await ok('wait_for_task_completion', { task_id: a.id, timeout_seconds: 0 })).toMatchObject({
      id: a.id,
      timed_out: true,
    });
    await fails('wait_for_task_completion', { task_id: 987_654 }, 'task_not_found');
  });

  it('carry an agent through its work, with its own key and without its own ids', async () => {
    const { team } = workspace;
    const other = await makeAgent(db, team, { runtime: 'pull' });
    await db.query(`UPDATE tasks SET status = 'done'`);
    expect(await ok('claim_work', {}, agent)).toEqual({ run: null });
    await fails('claim_work', { agent_id: other.id }, 'forbidden', agent);
    const { id } = await task('todo', workspace.agent.id);
    const { run } = await ok('claim_work', { wait_seconds: 5 }, agent);
    expect(run.task.id).toBe(id);
    const ref = { run_id: run.id, fencing_token: run.fencing_token };
    expect(await ok('heartbeat_run', { ...ref, progress: 'half way' }, agent)).toMatchObject({
      cancel_requested: false,
    });
    expect(await ok('finish_run', { ...ref, summary: 'done' }, agent)).toMatchObject({ status: 'succeeded' });
    const over = await fails('heartbeat_run', ref, 'run_not_current', agent);
    expect(over).toContain('Stop working');
    await fails('finish_run', ref, 'run_not_current', agent);
    await task('todo', workspace.agent.id);
    const again = (await ok('claim_work', {}, agent)).run;
    const second = { run_id: again.id, fencing_token: again.fencing_token };
    await fails('fail_run', { ...second, fencing_token: 1 }, 'validation_failed', agent);
    expect(await ok('fail_run', { ...second, error: 'no idea' }, agent)).toMatchObject({
      status: 'failed',
      error: 'no idea',
    });
    await fails('start_agent', { agent_id: workspace.agent.id }, 'insufficient_scope', agent);
    const started = await ok('start_agent', { agent_id: other.id, prompt: 'Mend it' });
    expect(started).toMatchObject({ status: 'started', agent_id: other.id });
    const to = { recipient_id: other.id, recipient_type: 'agent' };
    const message = await ok('send_message', { ...to, content: 'Hello' }, agent);
    expect(message).toMatchObject({ sender_id: workspace.agent.id, sender_type: 'agent' });
    await fails('send_message', { ...to, recipient_id: NOBODY, content: 'x' }, 'validation_failed', agent);
    expect((await ok('get_inbox', { agent_id: other.id })).items).toEqual([
      expect.objectContaining({ id: message.id }),
    ]);
    await fails('get_inbox', { agent_id: other.id }, 'forbidden', agent);
    expect((await ok('mark_message_processed', { message_id: message.id })).processed_at).not.toBeNull();
    await fails('mark_message_processed', { message_id: 987_654 }, 'message_not_found');
  });

  it('ask for reviews, and give them', async () => {
    const { id } = await task('in_review', workspace.agent.id);
    const { id: review_id } = await ok('request_review', { task_id: id });
    await fails('request_review', { task_id: 987_654 }, 'task_not_found');
    expect(await ok('get_review_feedback', { task_id: id })).toEqual({ review: null });
    const comment = { author_id: NOBODY, content: 'Twice', file_path: 'a.ts', line_number: 7 };
    await ok('add_review_comment', { review_id, ...comment }, user);
    await fails('add_review_comment', { review_id: 987_654, ...comment }, 'review_not_found');
    const verdict = { review_id, verdict: 'request_changes', summary: 'Not yet', reviewer_type: 'user' };
    await ok('submit_review_verdict', verdict, user);
    await fails('submit_review_verdict', verdict, 'review_decided', user);
    const { text, data } = await agent.call('get_review_feedback', { task_id: id });
    expect(text).toBe('Review 1 asks for changes: Not yet\n- a.ts:7: Twice');
    expect(data.review).toMatchObject({ id: review_id, comments: [{}] });
    await fails('get_review_feedback', { task_id: 987_654 }, 'task_not_found');
    for (const name of ['reject_task', 'approve_task']) {
      const { id: other } = await task('in_review', workspace.agent.id);
      await fails(name, { task_id: other }, 'review_not_found', user);
      await ok('request_review', { task_id: other });
      const decided = await ok(name, { task_id: other, summary: 'So it is' }, user);
      expect(decided.verdict).toBe(name.replace('_task', ''));
    }
  });

  it('ask people, and wait for their answers', async () => {
    const question = { kind: 'question', question: 'Red or green?', options: ['red', 'green'] };
    const { id } = await ok('ask_human', question, agent);
    await fails('ask_human', { ...question, agent_id: NOBODY }, 'agent_not_found', agent);
    const pending = async () => (await ok('get_pending_requests', { team_id: workspace.team.id })).items;
    expect(await pending()).toEqual([expect.objectContaining({ id, status: 'pending' })]);
    await fails('get_pending_requests', { team_id: NOBODY }, 'team_not_found');
    await fails('respond_to_request', { request_id: id, response: 'blue' }, 'validation_failed', user);
    await ok('respond_to_request', { request_id: id, response: 'red' }, user);
    const answer = ok('ask_human', { ...question, wait: true }, agent);
    const asked = await until(async () => (await pending())[0] as { id: number } | undefined, 'the question');
    await ok('respond_to_request', { request_id: asked.id, response: 'green' }, user);
    expect(await answer).toMatchObject({ id: asked.id, status: 'resolved', response: 'green' });
  });

  it('work on code: a worktree, what changed in it, the way to a remote and to the merge', async () => {
    const path = join(repositories, 'app');
    const { id: repo_id } = await makeRepository(db, workspace.team, path);
    const { id: task_id, branch } = await task('in_progress', workspace.agent.id);
    const at = { task_id, repo_id };
    const nowhere = { task_id, repo_id: NOBODY };
    const made = await ok('create_worktree', at, agent);
    expect(made).toMatchObject({ branch, exists: true });
    commit(made.path, { 'notes.md': 'done\n' }, 'the work');
    expect(await ok('get_worktree', at, agent)).toEqual(made);
    expect((await ok('get_task_diff', at)).diff).toContain('+done');
    expect((await ok('get_changed_files', at)).items).toMatchObject([{ path: 'notes.md', status: 'A' }]);
    expect(await ok('read_file', { ...at, path: 'notes.md' })).toMatchObject({ content: 'done\n' });
    await fails('read_file', { ...at, path: 'other' }, 'file_not_found');
    expect((await ok('get_commits', at)).items).toMatchObject([{ message: 'the work' }]);
    git(repositories, 'clone', '-q', '--bare', path, 'app.git');
    git(path, 'remote', 'add', 'origin', join(repositories, 'app.git'));
    expect(await ok('push_branch', at, agent)).toEqual({ pushed: true, branch });
    await fails('create_pr', at, 'git_failed');
    await fails('get_pr_info', { task_id }, 'pull_request_not_found');
    expect(await ok('get_merge_status', { task_id })).toMatchObject({ can_merge: false, merge_jobs: [] });
    await fails('get_merge_status', { task_id: 987_654 }, 'task_not_found');
    for (const name of ['create_worktree', 'get_worktree', 'remove_worktree', 'push_branch'])
      await fails(name, nowhere, 'repository_not_found');
    for (const name of ['get_task_diff', 'get_changed_files', 'get_commits'])
      await fails(name, nowhere, 'repository_not_found');
    expect(await ok('remove_worktree', at, agent)).toEqual({ removed: true });
  });

  it('open a pull request', async () => {
    const github = await GithubServer.start();
    try {
      const allowed = await startGithubService({ ENTOURAGE_REPOS_DIR: repositories });
      try {
        const { team, key, org } = await makeWorkspace(allowed.db);
        await saveToken(allowed, { org, key }, github);
        const { id: repo_id, local_path } = await makeRepository(allowed.db, team, join(repositories, 'pr'));
        git(local_path, 'remote', 'add', 'origin', 'https://github.example.com/acme/app.git');
        const { id: task_id } = await makeTask(allowed.db, team);
        const client = await McpClient.connect(allowed.url, withKey(key));
        const opened = await client.call('create_pr', { task_id, repo_id });
        expect(opened.data).toMatchObject({ pr_number: expect.any(Number) });
        expect((await client.call('get_pr_info', { task_id })).data).toEqual(opened.data);
        await client.close();
        for (const name of ['create_pr', 'get_pr_info']) called.add(name);
      } finally {
        await allowed.close();
      }
    } finally {
      await github.close();
    }
  });

  it('read and change how a team works', async () => {
    const team_id = workspace.team.id;
    const changed = await ok('update_team_settings', { team_id, require_review: false, branch_prefix: 'a/' });
    expect(await ok('get_team_settings', { team_id })).toEqual(changed);
    expect(changed.settings).toEqual({ require_review: false, branch_prefix: 'a/' });
    await fails('update_team_settings', { team_id, daily_cost_limit_usd: -1 }, 'validation_failed');
    await fails('get_team_settings', { team_id: NOBODY }, 'team_not_found');
    const convention = { team_id, key: 'tests', content: 'Write one first' };
    await ok('add_team_convention', convention);
    await fails('add_team_convention', convention, 'convention_exists');
    expect((await ok('get_team_conventions', {}, agent)).items).toEqual([
      { key: 'tests', content: 'Write one first', active: true },
    ]);
    await fails('get_team_conventions', { team_id: NOBODY }, 'team_not_found');
  });

  it('count what work costs', async () => {
    const { agent: worker, team } = workspace;
    await db.query(`UPDATE agents SET status = 'idle'`);
    const session = await ok('start_session', { model: 'claude-opus-4' }, agent);
    await fails('start_session', { agent_id: NOBODY }, 'agent_not_found');
    const usage = { session_id: session.id, tokens_in: 1_000_000, tokens_out: 0 };
    expect(await ok('record_usage', usage, agent)).toMatchObject({ tokens_in: 1_000_000, cost_usd: 15 });
    await fails('record_usage', { ...usage, tokens_in: -1 }, 'validation_failed', agent);
    expect(await ok('check_budget', { agent_id: worker.id })).toMatchObject({ daily_spent_usd: 15 });
    await fails('check_budget', { agent_id: NOBODY }, 'agent_not_found');
    expect((await ok('end_session', { session_id: session.id }, agent)).ended_at).not.toBeNull();
    await fails('end_session', { session_id: 987_654 }, 'session_not_found');
    expect(await ok('get_cost_summary', { team_id: team.id })).toMatchObject({ total_cost_usd: 15 });
    await fails('get_cost_summary', { team_id: NOBODY }, 'team_not_found');
  });

  it('were each called, with success and in vain', () => {
    const offered = [...listed.keys()];
    expect(offered.filter((name) => !called.has(name))).toEqual([]);
    const cannotFail = ['ping', 'whoami', 'list_orgs'];
    expect(offered.filter((name) => !refused.has(name))).toEqual(cannotFail);
  });

  it('stand in docs/mcp.md, each with its route', () => {
    const documented = readFileSync('docs/mcp.md', 'utf8');
    const rows = [...documented.matchAll(/^\| `(\w+)` +\| `([^`]+)`/gm)].map((row) => `${row[1]}: ${row[2]}`);
    expect(rows).toEqual(TOOLS.map(({ name, route }) => `${name}: ${route}`));
  });
});
