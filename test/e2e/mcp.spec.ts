import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TASK_STATUSES } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeTeam, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { makeTenant, MARK, type Tenant } from '../factories/victim.js';
import { ChildService } from '../support/child-service.js';
import { withKey } from '../support/login.js';
import { type Args, McpClient } from '../support/mcp-client.js';
import { startTestService, TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } };

describe('MCP', () => {
  let service: TestService;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;

  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_CORS_ORIGINS: ['https://board.example.com'] });
    workspace = await makeWorkspace(service.db);
  });
  afterAll(() => service.close());

  const connect = (key = workspace.key, url = service.url): Promise<McpClient> =>
    McpClient.connect(url, withKey(key));
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    service.http
      .post('/mcp')
      .set({
        Accept: 'application/json, text/event-stream',
        'Content-Type': 'application/json',
        ...withKey(workspace.key),
        ...headers,
      })
      .send(body as object);
  const problem = async (request: ReturnType<typeof post>, status: number, code: string): Promise<void> => {
    const answer = await request.expect(status);
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(JSON.parse(answer.text)).toMatchObject({ status, code, request_id: expect.any(String) });
  };

  it('says who it is, and how to work with it', async () => {
    const { client, close } = await connect().then((mcp) => ({
      client: mcp.client,
      close: () => mcp.close(),
    }));
    expect(client.getServerVersion()).toMatchObject({ name: 'entourage', title: 'Entourage' });
    expect(client.getServerCapabilities()).toEqual({ tools: {} });
    expect(client.getInstructions()).toContain('finish_run');
    await client.ping();
    await close();
  });

  it('takes a key or a token, as X-API-Key or Bearer, and nothing else', async () => {
    const ways: Record<string, string>[] = [
      { 'X-API-Key': workspace.key },
      { 'X-API-Key': '', Authorization: `Bearer ${workspace.key}` },
    ];
    for (const headers of ways)
      expect((await post(CALL, headers).expect(200)).body.result.structuredContent).toMatchObject({
        org_id: workspace.org.id,
      });
    const none = post(CALL, { 'X-API-Key': '' });
    await problem(none, 401, 'authentication_required');
    expect((await none).headers['www-authenticate']).toBe('Bearer');
    await problem(post(CALL, withKey('oc_wrong')), 401, 'invalid_api_key');
    await expect(connect('oc_wrong')).rejects.toThrow(/invalid_api_key/);
  });

  it('refuses pages of foreign origins', async () => {
    for (const Origin of ['https://evil.example.com', service.url, 'null'])
      await problem(post(CALL, { Origin }), 403, 'forbidden');
    const known = await post(CALL, { Origin: 'https://board.example.com' }).expect(200);
    expect(known.headers['access-control-allow-origin']).toBe('https://board.example.com');
  });

  it('has no sessions: nothing to GET, nothing to DELETE', async () => {
    for (const method of ['get', 'delete'] as const) {
      const answer = await service.http[method]('/mcp').set(withKey(workspace.key)).expect(405);
      expect(answer.headers['allow']).toBe('POST');
    }
    expect((await post(CALL).expect(200)).headers['mcp-session-id']).toBeUndefined();
  });

  it('refuses what is not one message of the protocol', async () => {
    await problem(post([CALL, CALL]), 400, 'bad_request');
    await problem(post('{"jsonrpc": '), 422, 'validation_failed');
    await problem(post(JSON.stringify({ ...CALL, pad: 'x'.repeat(2_100_000) })), 413, 'payload_too_large');
    const code = async (body: unknown, headers = {}): Promise<[number, number]> => {
      const answer = await post(body, headers);
      return [answer.status, (JSON.parse(answer.text) as { error: { code: number } }).error.code];
    };
    for (const body of [{ hello: 1 }, { ...CALL, jsonrpc: '1.0' }, '"text"', '7', 'null'])
      expect(await code(body)).toEqual([400, -32700]);
    expect(await code(CALL, { 'MCP-Protocol-Version': '1999-01-01' })).toEqual([400, -32000]);
    expect(await code(CALL, { Accept: 'text/html' })).toEqual([406, -32000]);
    expect(await code('x', { 'Content-Type': 'text/plain' })).toEqual([415, -32000]);
    expect(await code({ ...CALL, method: 'tools/eat' })).toEqual([200, -32601]);
    expect(await code({ ...CALL, params: { name: 'no_such_tool' } })).toEqual([200, -32602]);
    await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }).expect(202);
  });

  it('does what the scopes of the key allow, and lists no more', async () => {
    const { key } = await makeApiKey(service.db, workspace.org.id, ['read']);
    const reader = await connect(key);
    const { tools } = await reader.client.listTools();
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);
    expect(tools.map(({ name }) => name)).toContain('list_tasks');
    expect((await reader.call('list_tasks', { team_id: workspace.team.id })).isError).toBe(false);
    const refused = await reader.call('create_task', { team_id: workspace.team.id, title: 'x' });
    expect(refused).toMatchObject({ isError: true });
    expect(refused.text).toMatch(
      /^Error: API error 403: .*"insufficient_scope".*\n\nWhat to do: Your key may/s,
    );
    await reader.close();
  });

  it('lets an agent act as itself only, without saying who it is', async () => {
    const { team } = workspace;
    const agent = await makeAgent(service.db, team);
    const other = await makeAgent(service.db, team);
    const { key } = await makeApiKey(service.db, team.org_id, ['agent'], { agent_id: agent.id });
    const mcp = await connect(key);
    const { tools } = await mcp.client.listTools();
    // A route that is made an agent's is looked at here once more.
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'add_review_comment',
      'approve_task',
      'ask_human',
      'authenticate',
      'change_task_status',
      'check_budget',
      'claim_work',
      'create_pr',
      'create_worktree',
      'decompose_task',
      'end_session',
      'fail_run',
      'finish_run',
      'get_changed_files',
      'get_commits',
      'get_context',
      'get_cost_summary',
      'get_dependent_tasks',
      'get_inbox',
      'get_merge_status',
      'get_pending_requests',
      'get_pr_info',
      'get_review_feedback',
      'get_task',
      'get_task_diff',
      'get_task_events',
      'get_team',
      'get_team_conventions',
      'get_team_settings',
      'get_timeline',
      'get_worktree',
      'heartbeat_run',
      'list_agents',
      'list_repos',
      'list_subtasks',
      'list_tasks',
      'list_team_agents',
      'mark_message_processed',
      'ping',
      'push_branch',
      'read_file',
      'record_usage',
      'reject_task',
      'remove_worktree',
      'request_review',
      'save_context',
      'send_message',
      'start_session',
      'submit_review_verdict',
      'wait_for_task',
      'wait_for_task_completion',
      'whoami',
    ]);
    expect(tools.find(({ name }) => name === 'get_inbox')?.inputSchema.required).toEqual([]);
    expect((await mcp.call('get_inbox')).data).toEqual({ items: [] });
    expect((await mcp.call('get_team')).data).toMatchObject({ id: team.id });
    const { id } = await makeTask(service.db, team, { assignee_id: agent.id });
    expect((await mcp.call('claim_work')).data.run.task.id).toBe(id);
    for (const [name, args] of [
      ['get_inbox', { agent_id: other.id }],
      ['claim_work', { agent_id: other.id }],
    ] as const)
      expect((await mcp.call(name, args)).text).toContain('"code":"forbidden"');
    const sent = await mcp.call('send_message', {
      sender_id: other.id,
      sender_type: 'agent',
      recipient_id: other.id,
      recipient_type: 'agent',
      content: 'It was not me',
    });
    expect(sent.data).toMatchObject({ sender_id: agent.id });
    const elsewhere = await makeTeam(service.db, team.org_id);
    const foreign = await makeTask(service.db, elsewhere, {});
    expect((await mcp.call('get_task', { task_id: foreign.id })).text).toContain('"task_not_found"');
    expect((await mcp.call('list_tasks', { team_id: elsewhere.id })).text).toContain('"team_not_found"');
    await mcp.close();
  });

  describe('with the ids of another organization', () => {
    let victim: Tenant;
    let mcp: McpClient;
    beforeAll(async () => {
      victim = await makeTenant(service.db, MARK);
      mcp = await connect();
    });
    afterAll(() => mcp.close());

    it('finds nothing, whatever the tool', async () => {
      const samples: Args = {
        recipient_id: victim.ids['agent_id'],
        assignee_id: victim.ids['agent_id'],
        sender_id: victim.ids['agent_id'],
        request_id: victim.ids['human_request_id'],
        reviewer_id: victim.ids['user_id'],
        author_id: victim.ids['user_id'],
        recipient_type: 'agent',
        sender_type: 'agent',
        status: 'cancelled',
        slug: 'stranger',
        fencing_token: 1,
        timeout_seconds: 1,
        tasks: [{ title: 'x' }],
        subtasks: [{ title: 'x' }],
        events: ['issues'],
        terminal_statuses: TASK_STATUSES,
      };
      const { tools } = await mcp.client.listTools();
      const walked: string[] = [];
      for (const { name, inputSchema } of tools) {
        const properties = Object.keys(inputSchema.properties ?? {});
        const required = (inputSchema.required ?? []).filter((field) => !(field in samples));
        if (!properties.some((field) => victim.ids[field] !== undefined || field === 'request_id')) continue;
        const args = Object.fromEntries([
          ...required.map((field) => {
            const { enum: values = ['x'] } = (inputSchema.properties?.[field] ?? {}) as { enum?: string[] };
            return [field, victim.ids[field] ?? values[0]];
          }),
          ...Object.entries(samples).filter(([field]) => properties.includes(field)),
        ]);
        // What is made for one's own organization may name no other's either, but that is the routes' own test.
        const { isError, text } = await mcp.call(name, args);
        if (name !== 'get_task_events')
          expect([name, isError, text]).toEqual([name, true, expect.stringMatching(/^Error: API error 404/)]);
        expect(text).not.toContain(MARK);
        walked.push(name);
      }
      expect(walked.length).toBeGreaterThan(25);
    });
  });

  it('is answered by whichever process a request comes to', async () => {
    const second = await startTestService({ DATABASE_URL: service.settings.DATABASE_URL });
    const urls = [service.url, second.url];
    const answers: number[] = [];
    let turn = 0;
    for (const method of ['initialize', 'tools/list', 'tools/call', 'tools/call']) {
      const params =
        method === 'initialize'
          ? { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } }
          : method === 'tools/call'
            ? CALL.params
            : {};
      const answer = await fetch(new URL('/mcp', urls[turn++ % 2]), {
        method: 'POST',
        headers: {
          Accept: 'application/json, text/event-stream',
          'Content-Type': 'application/json',
          ...withKey(workspace.key),
          ...(method === 'initialize' ? {} : { 'MCP-Protocol-Version': '2025-06-18' }),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: turn, method, params }),
      });
      const { result } = (await answer.json()) as { result?: object };
      if (result !== undefined) answers.push(turn);
    }
    expect(answers).toEqual([1, 2, 3, 4]);
    await second.close();
  });

  it('counts a call once against the limit of its caller', async () => {
    const limited = await startTestService({
      DATABASE_URL: service.settings.DATABASE_URL,
      ENTOURAGE_RATE_LIMIT_PER_MINUTE: 6,
    });
    const { key } = await makeApiKey(service.db, workspace.org.id);
    const mcp = await connect(key, limited.url);
    // initialize, initialized and tools/list were three.
    for (let call = 0; call < 3; call += 1) expect((await mcp.call('whoami')).isError).toBe(false);
    await expect(mcp.call('whoami')).rejects.toThrow(/rate_limited/);
    await mcp.close();
    await limited.close();
  });

  it('is named in the log by its tool, never by its arguments', async () => {
    const child = new ChildService({
      DATABASE_URL: service.settings.DATABASE_URL,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_ROLES: 'api',
    });
    const mcp = await connect(workspace.key, await child.ready());
    await mcp.call('create_task', { team_id: workspace.team.id, title: 'hush-hush' });
    await mcp.call('authenticate', { api_key: 'oc_hush-hush' });
    await mcp.client.callTool({ name: 'hush-hush' }).catch(() => undefined);
    await until(() => child.log.includes('"tool":"authenticate"'), 'the lines in the log');
    await mcp.close();
    await child.stop();
    const lines = child.log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Args)
      .filter(({ msg }) => msg === 'request');
    expect(lines.filter(({ tool }) => tool === 'create_task')).toEqual([
      expect.objectContaining({ method: 'POST', path: '/mcp', status: 200, actor: expect.any(String) }),
    ]);
    expect(lines.every(({ path }) => path === '/mcp')).toBe(true);
    expect(child.log).not.toContain('hush');
  });
});
