import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { v1 } from 'uuid';
import { makeApiKey, makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, sign, type TestWebhook } from '../factories/webhooks.js';
import { examples, issueOpened } from '../fixtures/github/payloads.js';
import { startTestService, type TestService } from '../support/service.js';

type Json = ReturnType<typeof JSON.parse>;
type Workspace = Awaited<ReturnType<typeof makeWorkspace>>;

describe('deliveries', () => {
  let service: TestService;
  let space: Workspace;
  beforeAll(async () => {
    service = await startTestService();
    space = await makeWorkspace(service.db);
  });
  afterAll(() => service.close());

  const webhook = (values: Record<string, unknown> = {}): Promise<TestWebhook> =>
    makeWebhook(service, space.key, { org_id: space.org.id, team_id: space.team.id, ...values });
  const call = (method: 'get' | 'post', path: string, key = space.key) =>
    service.http[method](`/api/v1/webhooks${path}`).set('X-API-Key', key);
  const list = async (hook: TestWebhook, query = ''): Promise<Json[]> =>
    JSON.parse((await call('get', `/${hook.id}/deliveries${query}`).expect(200)).text);
  /** As GitHub makes them. */
  const guid = (value = v1()): { 'X-GitHub-Delivery': string } => ({ 'X-GitHub-Delivery': value });
  const taskCount = async (number: number): Promise<number> =>
    (await service.db.query('SELECT count(*)::int FROM task_sources WHERE number = $1', [number]))[0].count;

  describe('that come again', () => {
    it('have no second effect under the same GUID, and are counted', async () => {
      const hook = await webhook();
      const payload = issueOpened();
      const header = guid();
      const first = await deliver(service, hook, 'issues', payload, header).expect(200);
      for (let n = 0; n < 2; n += 1) {
        const again = await deliver(service, hook, 'issues', payload, header).expect(200);
        expect(again.body).toMatchObject({
          status: 'duplicate',
          delivery_id: first.body.delivery_id,
          task_id: first.body.task_id,
        });
      }
      expect(await list(hook)).toMatchObject([{ id: first.body.delivery_id, duplicates: 2, attempts: 1 }]);
      expect(await taskCount(payload.issue.number)).toBe(1);
    });

    it('have no second effect under a new GUID', async () => {
      const hook = await webhook();
      const payload = issueOpened();
      const first = await deliver(service, hook, 'issues', payload, guid()).expect(200);
      const replay = await deliver(service, hook, 'issues', payload, guid()).expect(200);
      expect(replay.body).toMatchObject({ status: 'ignored', reason: 'replay', task_id: first.body.task_id });
      expect(await list(hook)).toMatchObject([
        { id: replay.body.delivery_id, status: 'received', reason: 'replay' },
        { id: first.body.delivery_id, status: 'processed' },
      ]);
      expect(await taskCount(payload.issue.number)).toBe(1);
    });

    it('are refused with another body under the same GUID', async () => {
      const hook = await webhook();
      const header = guid();
      await deliver(service, hook, 'issues', issueOpened(), header).expect(200);
      const other = issueOpened();
      const answer = await deliver(service, hook, 'issues', other, header).expect(409);
      expect(JSON.parse(answer.text).code).toBe('guid_body_mismatch');
      expect((await list(hook))[0]).toMatchObject({ status: 'failed', reason: 'guid_body_mismatch' });
      expect(await taskCount(other.issue.number)).toBe(0);
    });

    it('are tried again when the first attempt failed', async () => {
      const hook = await webhook();
      const header = guid();
      const body = JSON.stringify({ zen: 1 });
      const first = await deliver(service, hook, 'ping', body, header).expect(422);
      expect(JSON.parse(first.text).code).toBe('event_body_mismatch');
      await deliver(service, hook, 'ping', body, header).expect(422);
      expect(await list(hook)).toMatchObject([{ status: 'failed', attempts: 2, duplicates: 0 }]);
    });

    it('are processed when the webhook listens by now', async () => {
      const hook = await webhook({ events: ['push'] });
      const payload = issueOpened();
      const header = guid();
      const ignored = await deliver(service, hook, 'issues', payload, header).expect(200);
      expect(ignored.body).toMatchObject({ status: 'ignored', reason: 'event_not_subscribed' });
      await service.http
        .patch(`/api/v1/webhooks/${hook.id}`)
        .set('X-API-Key', space.key)
        .send({ events: ['issues'] })
        .expect(200);
      const now = await deliver(service, hook, 'issues', payload, header).expect(200);
      expect(now.body).toMatchObject({ status: 'processed', delivery_id: ignored.body.delivery_id });
      expect(await list(hook)).toMatchObject([{ status: 'processed', attempts: 2 }]);
    });

    it('make one task when thirty come at once', async () => {
      const hook = await webhook();
      const payload = issueOpened();
      const header = guid();
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => deliver(service, hook, 'issues', payload, header)),
      );
      expect(answers.map((answer) => answer.status)).toEqual(Array(30).fill(200));
      const statuses = answers
        .map((answer) => String(answer.body.status))
        .toSorted((a, b) => a.localeCompare(b));
      expect(statuses).toEqual([...Array(29).fill('duplicate'), 'processed']);
      expect(new Set(answers.map((answer) => answer.body.task_id)).size).toBe(1);
      expect(await list(hook)).toMatchObject([{ duplicates: 29 }]);
      expect(await taskCount(payload.issue.number)).toBe(1);
    });

    it('make one task when thirty replays come at once', async () => {
      const hook = await webhook();
      const payload = issueOpened();
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => deliver(service, hook, 'issues', payload, guid())),
      );
      expect(new Set(answers.map((answer) => answer.body.task_id)).size).toBe(1);
      expect(answers.filter((answer) => answer.body.status === 'processed')).toHaveLength(1);
      expect(await list(hook)).toHaveLength(30);
    });

    it('make one task when two webhooks and two processes get the same issue', async () => {
      const hooks = [await webhook(), await webhook()];
      const sibling = await startTestService({ DATABASE_URL: service.settings.DATABASE_URL });
      try {
        const payload = issueOpened();
        const header = guid();
        const answers = await Promise.all(
          [service, sibling].flatMap((at) =>
            hooks.flatMap((hook) =>
              Array.from({ length: 5 }, () => deliver(at, hook, 'issues', payload, header)),
            ),
          ),
        );
        expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200));
        expect(new Set(answers.map((answer) => answer.body.task_id)).size).toBe(1);
        for (const hook of hooks) expect(await list(hook)).toHaveLength(1);
        expect(await taskCount(payload.issue.number)).toBe(1);
      } finally {
        await sibling.close();
      }
    });
  });

  describe('in the log', () => {
    it('are listed newest first, filtered, in pages', async () => {
      const hook = await webhook({ events: ['issues', 'push'] });
      await deliver(service, hook, 'issues', issueOpened()).expect(200);
      await deliver(service, hook, 'push', { ref: 'a', commits: [] }).expect(200);
      await deliver(service, hook, 'star', { action: 'created' }).expect(200);
      await deliver(service, hook, 'push', '{', {}).expect(400);
      const types = async (query: string): Promise<string[]> =>
        (await list(hook, query)).map((row: { event_type: string }) => row.event_type);
      expect(await types('')).toEqual(['push', 'star.created', 'push', 'issues.opened']);
      expect(await types('?status=processed')).toEqual(['push', 'issues.opened']);
      expect(await types('?event=issues')).toEqual(['issues.opened']);
      expect(await types('?event=push&status=failed')).toEqual(['push']);
      const [, second] = await list(hook);
      expect(await types(`?until=${second.created_at}`)).toEqual(['push', 'issues.opened']);
      expect(await types(`?since=${second.created_at}`)).toEqual(['push', 'star.created']);
      const page = await call('get', `/${hook.id}/deliveries?limit=3`).expect(200);
      expect(page.body).toHaveLength(3);
      const next = /deliveries(\?.*)>; rel="next"/.exec(page.headers['link'] ?? '')?.[1] ?? '';
      expect(await types(next)).toEqual(['issues.opened']);
      await call('get', `/${hook.id}/deliveries?limit=201`).expect(422);
      await call('get', `/${hook.id}/deliveries?status=lost`).expect(422);
      await call('get', `/${hook.id}/deliveries?cursor=bm8`).expect(400);
    });

    it('belong to their organization', async () => {
      const stranger = await makeWorkspace(service.db);
      const hook = await webhook();
      const { body } = await deliver(service, hook, 'issues', issueOpened()).expect(200);
      for (const [method, path] of [
        ['get', ''],
        ['get', `/${body.delivery_id}`],
        ['get', `/${body.delivery_id}/explain`],
        ['post', `/${body.delivery_id}/replay`],
      ] as const)
        await call(method, `/${hook.id}/deliveries${path}`, stranger.key).expect(404);
      const own = await makeWebhook(service, stranger.key, { org_id: stranger.org.id });
      await call('get', `/${own.id}/deliveries/${body.delivery_id}`, stranger.key).expect(404);
      await call('get', `/${hook.id}/deliveries/${randomUUID()}`).expect(404);
    });

    it('are explained: signature, filters, task, agent, run', async () => {
      const own = await makeWorkspace(service.db);
      const hook = await makeWebhook(service, own.key, {
        org_id: own.org.id,
        team_id: own.team.id,
        config: { auto_assign: true },
      });
      const { body } = await deliver(service, hook, 'issues', issueOpened()).expect(200);
      const explained = await call('get', `/${hook.id}/deliveries/${body.delivery_id}/explain`, own.key);
      expect(explained.body).toMatchObject({
        delivery_id: body.delivery_id,
        signature: 'valid',
        outcome: { status: 'processed', reason: null },
        task: { id: body.task_id },
        assignment: { agent: { id: own.agent.id, name: own.agent.name }, why: expect.any(String) },
      });
      expect(explained.body.filters.map((entry: Json) => [entry.filter, entry.passed])).toEqual([
        ['active', true],
        ['events', true],
        ['repository', true],
        ['team', true],
        ['lifecycle', true],
        ['trust', true],
      ]);
    });

    it('are explained where nothing came of them', async () => {
      const hook = await webhook({ events: ['push'], config: { repository: 'octo/other' } });
      const { body } = await deliver(service, hook, 'issues', issueOpened()).expect(200);
      const explained = await call('get', `/${hook.id}/deliveries/${body.delivery_id}/explain`);
      expect(explained.body).toMatchObject({ task: null, run: null, assignment: null });
      expect(explained.body.filters.map((entry: Json) => [entry.filter, entry.passed])).toEqual([
        ['active', true],
        ['events', false],
        ['repository', false],
      ]);
    });
  });

  describe('replayed', () => {
    it('have no second effect', async () => {
      const hook = await webhook();
      const payload = issueOpened();
      const { body } = await deliver(service, hook, 'issues', payload).expect(200);
      const before = (await list(hook))[0];
      const replays = await Promise.all(
        Array.from({ length: 4 }, () => call('post', `/${hook.id}/deliveries/${body.delivery_id}/replay`)),
      );
      for (const replay of replays)
        expect(replay.body).toMatchObject({ task_id: body.task_id, reason: 'already_exists', actions: [] });
      expect((await list(hook))[0]).toEqual({ ...before, attempts: 5 });
      expect(await taskCount(payload.issue.number)).toBe(1);
    });

    it('follow the webhook as it is now', async () => {
      const hook = await webhook({ team_id: null });
      const { body } = await deliver(service, hook, 'issues', issueOpened()).expect(200);
      expect(body.reason).toBe('no_team');
      await service.http
        .patch(`/api/v1/webhooks/${hook.id}`)
        .set('X-API-Key', space.key)
        .send({ team_id: space.team.id })
        .expect(200);
      const replay = await call('post', `/${hook.id}/deliveries/${body.delivery_id}/replay`).expect(200);
      expect(replay.body).toMatchObject({ status: 'processed', task_id: expect.any(Number) });
      expect((await list(hook))[0]).toMatchObject({
        attempts: 2,
        reason: null,
        task_id: replay.body.task_id,
      });
    });

    it('are refused without a valid signature, and to readers', async () => {
      const hook = await webhook();
      await deliver(service, hook, 'issues', issueOpened(), { 'X-Hub-Signature-256': sign('x', 'y') });
      const [{ id }] = await list(hook);
      const answer = await call('post', `/${hook.id}/deliveries/${id}/replay`).expect(409);
      expect(JSON.parse(answer.text).code).toBe('delivery_not_replayable');
      const reader = await makeApiKey(service.db, space.org.id, ['read']);
      await call('post', `/${hook.id}/deliveries/${id}/replay`, reader.key).expect(403);
    });
  });

  describe('ping', () => {
    const ping = (config: object, events: string[], repository?: object): Json => ({
      ...examples('api.github.com').find((entry) => entry.name === 'ping')?.examples[0],
      hook: { type: 'Repository', events, config },
      ...(repository ? { repository } : {}),
    });
    const health = async (hook: TestWebhook): Promise<Json> => (await call('get', `/${hook.id}`)).body.health;

    it('answers pong and reports what is misconfigured', async () => {
      const hook = await webhook({ config: { auto_assign: true } });
      const bad = ping({ content_type: 'form', insecure_ssl: '1' }, ['push'], { private: false });
      const answer = await deliver(service, hook, 'ping', bad).expect(200);
      expect(answer.body).toMatchObject({ status: 'processed', event_type: 'ping', actions: ['pong'] });
      const told = await health(hook);
      expect(told.status).toBe('warning');
      expect(told.warnings.map((warning: Json) => warning.code)).toEqual([
        'public_repository_trusts_anyone',
        'content_type_form',
        'insecure_ssl',
        'missing_issues_event',
        'missing_pull_request_event',
      ]);
      const all = ping({ content_type: 'json', insecure_ssl: '0' }, ['*'], { private: true });
      await deliver(service, hook, 'ping', all).expect(200);
      expect((await health(hook)).warnings.map((warning: Json) => warning.code)).toEqual(['all_events']);
      const good = ping({ content_type: 'json', insecure_ssl: '0' }, ['issues', 'pull_request'], {
        private: true,
      });
      await deliver(service, hook, 'ping', good).expect(200);
      expect(await health(hook)).toMatchObject({
        status: 'ok',
        warnings: [],
        last_delivery_at: expect.any(String),
      });
      expect((await deliver(service, hook, 'ping', good).expect(200)).body.status).toBe('duplicate');
      expect((await deliver(service, hook, 'ping', good, guid()).expect(200)).body.actions).toEqual(['pong']);
    });

    it('is not needed to see that the repository is public', async () => {
      const hook = await webhook({ config: { auto_assign: true } });
      await deliver(service, hook, 'issues', issueOpened()).expect(200);
      expect((await health(hook)).warnings).toMatchObject([{ code: 'public_repository_trusts_anyone' }]);
    });
  });
});
