import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v1 } from 'uuid';
import { makeWriteBackWorkspace, startGithubService } from '../factories/github.js';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { GithubServer, type HookDelivery } from '../support/github-server.js';
import { type TestService } from '../support/service.js';
import { until } from '../support/until.js';

const HOOK = 'repos/acme/web/hooks/17';
const DAY_MS = 86_400_000;

describe('repair of missed deliveries', () => {
  let github: GithubServer;
  let service: TestService;
  let ids = 3_804_004_623_172_239_000n;
  beforeAll(async () => {
    github = await GithubServer.start();
    // Without the role `notifier` nothing is checked but what a test asks for.
    service = await startGithubService({ ENTOURAGE_ROLES: ['api'] });
  });
  afterAll(async () => {
    await service.close();
    await github.close();
  });
  beforeEach(() => {
    github.deliveries.clear();
    github.redelivered.length = 0;
    github.calls.length = 0;
    github.remaining = 4_999;
    github.perPage = 100;
    github.onRedelivery = () => undefined;
  });

  const setUp = async (hook: object = { type: 'Repository' }, events = ['issues.opened']) => {
    const workspace = await makeWriteBackWorkspace(service, github, {});
    await service.db.query('UPDATE webhooks SET events = $2, revision = revision + 1 WHERE id = $1', [
      workspace.hook.id,
      events,
    ]);
    await deliver(service, workspace.hook, 'ping', {
      zen: 'Keep it simple.',
      hook_id: 17,
      hook: { ...hook, events: ['*'], config: { content_type: 'json', insecure_ssl: '0' } },
      repository: { id: 7, full_name: 'acme/web', private: true },
      organization: { login: 'acme' },
    }).expect(200);
    return workspace;
  };
  const onGithub = (values: Partial<HookDelivery> = {}, hook = HOOK): HookDelivery => {
    const delivery = {
      id: String((ids += 1n)),
      guid: v1(),
      delivered_at: new Date().toISOString(),
      redelivery: false,
      status_code: 502,
      event: 'issues',
      action: 'opened',
      ...values,
    };
    github.deliveries.set(hook, [...(github.deliveries.get(hook) ?? []), delivery]);
    return delivery;
  };
  const repair = (hook: { id: string }, key: string) =>
    service.http.post(`/api/v1/webhooks/${hook.id}/repair`).set('X-API-Key', key);
  /** As if the last check had been that long ago. */
  const age = (hook: { id: string }, minutes: number): Promise<unknown> =>
    service.db.query(
      `UPDATE webhooks SET repair = repair || jsonb_build_object('checked_at', now() - make_interval(mins => $2)) WHERE id = $1`,
      [hook.id, minutes],
    );

  it('asks for what is missing, and the redelivery makes the task', async () => {
    const { hook, key } = await setUp();
    const missed = onGithub();
    onGithub({ status_code: 200 });
    onGithub({ event: 'push', action: null });
    onGithub({ event: 'ping', action: null });
    const answers: Promise<{ status: number; body: { task_id?: number } }>[] = [];
    github.onRedelivery = (delivery) =>
      answers.push(
        deliver(service, hook, 'issues', issueOpened(), { 'X-GitHub-Delivery': delivery.guid }).then(
          (answer) => answer,
        ),
      );
    const { body } = await repair(hook, key).expect(200);
    expect(body).toMatchObject({
      listed: 4,
      missing: 1,
      failed: 0,
      requested: 1,
      given_up: 0,
      truncated: false,
      error: null,
    });
    expect(github.redelivered).toEqual([missed.id]);
    expect((await answers[0])?.body.task_id).toBeGreaterThan(0);
    const shown = await service.http.get(`/api/v1/webhooks/${hook.id}`).set('X-API-Key', key).expect(200);
    expect(shown.body.health.repair).toEqual(body);
    expect(shown.body.health.warnings.map((one: { code: string }) => one.code)).toContain(
      'missed_deliveries',
    );
    // Within a minute it is not done again; after that all is well.
    expect((await repair(hook, key).expect(200)).body).toEqual(body);
    await age(hook, 2);
    expect((await repair(hook, key).expect(200)).body).toMatchObject({ missing: 0, requested: 0 });
    expect(github.redelivered).toHaveLength(1);
  });

  it('asks for what failed here and can be mended, not for what cannot', async () => {
    const { hook, key } = await setUp();
    const broken = onGithub({ status_code: 400 });
    const failed = onGithub({ status_code: 503 });
    await deliver(service, hook, 'issues', '{', { 'X-GitHub-Delivery': broken.guid }).expect(400);
    await deliver(service, hook, 'issues', issueOpened(), { 'X-GitHub-Delivery': failed.guid }).expect(200);
    await service.db.query(
      `UPDATE deliveries SET status = 'failed', reason = 'processing_failed' WHERE guid = $1`,
      [failed.guid],
    );
    const { body } = await repair(hook, key).expect(200);
    expect(body).toMatchObject({ missing: 0, failed: 1, requested: 1, given_up: 1 });
    expect(github.redelivered).toEqual([failed.id]);
  });

  it('gives up after three redeliveries, at whatever hour they were', async () => {
    const { hook, key } = await setUp();
    const now = Date.now();
    const first = onGithub({ delivered_at: new Date(now - 5 * 3_600_000).toISOString() });
    github.onRedelivery = (delivery) =>
      void onGithub({
        ...delivery,
        id: String((ids += 1n)),
        redelivery: true,
        delivered_at: new Date().toISOString(),
      });
    for (const requested of [1, 1, 1, 0]) {
      expect((await repair(hook, key).expect(200)).body).toMatchObject({
        requested,
        given_up: requested === 0 ? 1 : 0,
      });
      await age(hook, 2);
    }
    // What is settled is not looked at again.
    await service.db.query(
      `UPDATE webhooks SET repair = repair || jsonb_build_object('settled_until', now() + interval '59 minutes') WHERE id = $1`,
      [hook.id],
    );
    expect((await repair(hook, key).expect(200)).body).toMatchObject({ requested: 0, given_up: 0 });
    expect(github.redelivered[0]).toBe(first.id);
  });

  it('reads page by page, by the cursor alone, and no further back than three days', async () => {
    const { hook, key } = await setUp();
    github.perPage = 2;
    onGithub({ delivered_at: new Date(Date.now() - 4 * DAY_MS).toISOString() });
    onGithub({ delivered_at: new Date(Date.now() - 4 * DAY_MS).toISOString() });
    onGithub({ delivered_at: new Date(Date.now() - 4 * DAY_MS).toISOString() });
    const wanted = [onGithub(), onGithub(), onGithub()];
    expect((await repair(hook, key).expect(200)).body).toMatchObject({
      listed: 3,
      missing: 3,
      truncated: false,
    });
    expect(github.redelivered).toEqual(wanted.map(({ id }) => id));
    expect(github.called('GET', /deliveries$/).map(({ query }) => query.get('cursor'))).toEqual([
      null,
      'v1_2',
    ]);
  });

  it('stops at ten pages and at fifty requests, and goes on the next time', async () => {
    const { hook, key } = await setUp();
    github.perPage = 5;
    const all = Array.from({ length: 60 }, () => onGithub());
    const first = (await repair(hook, key).expect(200)).body;
    expect(first).toMatchObject({ listed: 50, requested: 50, truncated: true, settled_until: null });
    expect(github.called('GET', /deliveries$/)).toHaveLength(10);
    github.perPage = 100;
    await age(hook, 2);
    expect((await repair(hook, key).expect(200)).body).toMatchObject({
      listed: 60,
      missing: 60,
      truncated: true,
    });
    expect(github.redelivered.slice(50, 51)).toEqual([all[0]!.id]);
  });

  it('leaves the rest of a low allowance alone, and heeds a rate limit', async () => {
    const { hook, key, org } = await setUp();
    onGithub();
    onGithub();
    github.remaining = 101;
    expect((await repair(hook, key).expect(200)).body).toMatchObject({
      requested: 1,
      truncated: true,
      error: null,
    });
    await age(hook, 2);
    github.fail({ matches: ({ path }) => path.endsWith('/deliveries'), kind: 'secondary', retry_after: 60 });
    const { body } = await repair(hook, key).expect(200);
    expect(body).toMatchObject({ requested: 0, error: 'GitHub limits the rate of calls (403)' });
    const { length } = github.calls;
    await age(hook, 2);
    expect((await repair(hook, key).expect(200)).body.error).toMatch(/for another \d+ s$/);
    expect(github.calls).toHaveLength(length);
    const shown = await service.http.get(`/api/v1/webhooks/${hook.id}`).set('X-API-Key', key).expect(200);
    expect(shown.body.health.warnings.map((one: { code: string }) => one.code)).toContain('repair_failed');
    await service.db.query('UPDATE github_credentials SET paused_until = NULL WHERE org_id = $1', [org.id]);
  });

  it("checks an organization's hook where that is, and says when there is nothing to check", async () => {
    const { hook, key } = await setUp({ type: 'Organization' });
    const missed = onGithub({}, 'orgs/acme/hooks/17');
    expect((await repair(hook, key).expect(200)).body).toMatchObject({ requested: 1 });
    expect(github.redelivered).toEqual([missed.id]);

    const app = await setUp({ type: 'App' });
    expect((await repair(app.hook, app.key).expect(409)).body.code).toBe('repair_unavailable');
    const bare = await makeWorkspace(service.db);
    const without = await makeWebhook(service, bare.key, { org_id: bare.org.id });
    expect((await repair(without, bare.key).expect(409)).body.detail).toMatch(/no GitHub credentials/);
    await repair(hook, bare.key).expect(404);
  });

  it('runs by itself at the start and an hour after the last check, in one of many processes', async () => {
    const { hook, key, org } = await setUp();
    await service.db.query('DELETE FROM github_credentials WHERE org_id <> $1', [org.id]);
    const missed = onGithub();
    const settings = { DATABASE_URL: service.settings.DATABASE_URL, ENTOURAGE_ROLES: ['notifier' as const] };
    const notifiers = await Promise.all([startGithubService(settings), startGithubService(settings)]);
    try {
      const report = async (): Promise<{ checked_at: string; listed: number } | null> =>
        (await service.http.get(`/api/v1/webhooks/${hook.id}`).set('X-API-Key', key)).body.health.repair;
      await until(report, 'the check at the start');
      expect(github.redelivered).toEqual([missed.id]);
      expect(github.called('GET', /deliveries$/)).toHaveLength(1);
      await age(hook, 61);
      await until(
        async () => Date.parse((await report())!.checked_at) > Date.now() - 60_000,
        'the hourly check',
      );
      expect(github.redelivered).toEqual([missed.id, missed.id]);
    } finally {
      for (const notifier of notifiers) await notifier.close();
    }
  });
});
