import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, sign, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened, pullRequestOpened } from '../fixtures/github/payloads.js';
import { startTestService, type TestService } from '../support/service.js';

type Json = ReturnType<typeof JSON.parse>;
type Workspace = Awaited<ReturnType<typeof makeWorkspace>>;

describe('receive', () => {
  let service: TestService;
  let space: Workspace;
  let hook: TestWebhook;
  beforeAll(async () => {
    service = await startTestService();
    space = await makeWorkspace(service.db);
    hook = await webhook();
  });
  afterAll(() => service.close());

  const webhook = (values: Record<string, unknown> = {}): Promise<TestWebhook> =>
    makeWebhook(service, space.key, { org_id: space.org.id, team_id: space.team.id, ...values });
  const get = async (path: string): Promise<Json> =>
    JSON.parse((await service.http.get(`/api/v1${path}`).set('X-API-Key', space.key)).text);
  const lastDelivery = async (id: string): Promise<Json> =>
    (await get(`/webhooks/${id}/deliveries?limit=1`))[0];
  const tasksOf = (title: string): Promise<Json[]> =>
    service.db.query('SELECT * FROM tasks WHERE title = $1', [title]);

  describe('the main road', () => {
    it('creates a task from issues.opened', async () => {
      const payload = issueOpened({ title: 'Spelling', body: 'It is wrong', labels: [{ name: 'P0' }] });
      const answer = await deliver(service, hook, 'issues', payload, { 'X-GitHub-Delivery': randomUUID() });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        status: 'processed',
        event_type: 'issues.opened',
        actions: [expect.stringMatching(/^created task #\d+ from issue #\d+$/)],
      });
      const [task] = await service.db.query('SELECT * FROM tasks WHERE id = $1', [answer.body.task_id]);
      expect(task).toMatchObject({
        title: '[GitHub] Spelling',
        description: `GitHub Issue #${payload.issue.number}\n\nIt is wrong`,
        priority: 'critical',
        tags: ['github', 'issue', 'P0'],
      });
      const delivery = await get(`/webhooks/${hook.id}/deliveries/${answer.body.delivery_id}`);
      expect(delivery).toMatchObject({
        status: 'processed',
        task_id: answer.body.task_id,
        payload,
        attempts: 1,
      });
      expect(task.correlation_id).toBe(delivery.correlation_id);
    });

    it('answers the same, whichever way its address is written', async () => {
      const plain = `/api/v1/webhooks/${hook.id}/receive`;
      const ways = [plain, `${plain}?from=here`, `/api/v1/webhooks/${hook.id.toUpperCase()}/receive`];
      const sent = async (address: string, secret: string) => {
        const body = JSON.stringify(issueOpened());
        const {
          status,
          headers,
          body: answer,
        } = await service.http
          .post(address)
          .set({ 'Content-Type': 'application/json', 'X-GitHub-Event': 'issues' })
          .set({ 'X-Hub-Signature-256': sign(secret, body), 'X-Request-ID': 'the-same' })
          .send(body);
        const kept = Object.entries(headers).filter(
          ([name]) => !/^(date|etag|x-request-dur|content-le)/.test(name),
        );
        return {
          status,
          headers: Object.fromEntries(kept),
          fields: Object.keys(answer).sort(),
          code: answer.code,
        };
      };
      for (const secret of [hook.secret, 'not the secret']) {
        const answers = await Promise.all(ways.map((way) => sent(way, secret)));
        expect(answers[0]?.status).toBe(secret === hook.secret ? 200 : 401);
        expect(answers.slice(1)).toEqual([answers[0], answers[0]]);
      }
    });

    it('creates a task from pull_request.opened', async () => {
      const payload = pullRequestOpened({ title: 'Fix it' });
      const answer = await deliver(service, hook, 'pull_request', payload).expect(200);
      const [task] = await service.db.query('SELECT * FROM tasks WHERE id = $1', [answer.body.task_id]);
      expect(task).toMatchObject({ title: '[GitHub PR] Fix it', priority: 'medium' });
      expect(task.tags).toEqual(['github', 'pull_request']);
    });

    it('assigns to the first idle agent when asked to', async () => {
      const own = await makeWorkspace(service.db);
      const auto = await makeWebhook(service, own.key, {
        org_id: own.org.id,
        team_id: own.team.id,
        config: { auto_assign: true },
      });
      const answer = await deliver(service, auto, 'issues', issueOpened()).expect(200);
      expect(answer.body.actions).toContain(`auto-assigned to ${own.agent.name}`);
    });

    it('accepts a form with one payload field and notes it', async () => {
      const body = `payload=${encodeURIComponent(JSON.stringify(issueOpened({ title: 'ä+b & c' })))}`;
      const answer = await deliver(service, hook, 'issues', body, {
        'Content-Type': 'Application/X-WWW-Form-URLencoded; charset=utf-8',
      });
      expect(answer.status).toBe(200);
      expect(await tasksOf('[GitHub] ä+b & c')).toHaveLength(1);
    });

    it.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.github+json'])(
      'accepts %s',
      async (type) => {
        await deliver(service, hook, 'issues', issueOpened(), { 'Content-Type': type }).expect(200);
      },
    );

    it('takes a custom integration that sends only Content-Type and signature', async () => {
      const body = { hello: `world ${randomUUID()}` };
      const bare = { 'User-Agent': undefined };
      const answer = await deliver(service, hook, undefined, body, bare).expect(200);
      expect(answer.body).toMatchObject({
        status: 'ignored',
        reason: 'event_not_subscribed',
        event_type: 'unknown',
      });
      const delivery = await lastDelivery(hook.id);
      expect(delivery).toMatchObject({
        id: answer.body.delivery_id,
        status: 'received',
        reason: 'event_not_subscribed',
        guid: createHash('sha256').update(JSON.stringify(body)).digest('hex'),
      });
      const again = await deliver(service, hook, undefined, body, bare).expect(200);
      expect(again.body).toMatchObject({ status: 'duplicate', delivery_id: answer.body.delivery_id });
    });

    it('takes the event from X-Event-Type, with its action in either place', async () => {
      for (const [name, payload] of [
        ['issues', issueOpened()],
        ['issues.opened', issueOpened({}, { action: undefined })],
      ]) {
        const answer = await deliver(service, hook, undefined, payload, { 'X-Event-Type': name as string });
        expect(answer.body).toMatchObject({ status: 'processed', event_type: 'issues.opened' });
        expect(answer.body.task_id).toEqual(expect.any(Number));
      }
    });

    it('keys an item without a repository by its delivery', async () => {
      const payload = issueOpened({}, { repository: undefined });
      const answer = await deliver(service, hook, 'issues', payload, { 'X-GitHub-Delivery': 'g-1' }).expect(
        200,
      );
      const [source] = await service.db.query('SELECT key FROM task_sources WHERE task_id = $1', [
        answer.body.task_id,
      ]);
      expect(source.key).toBe(`delivery:${hook.id}:g-1`);
    });

    it('says what was pushed', async () => {
      const own = await webhook({ events: ['push'] });
      const answer = await deliver(service, own, 'push', { ref: 'refs/heads/main', commits: [{}, {}] });
      expect(answer.body).toMatchObject({
        status: 'processed',
        actions: ['push to refs/heads/main: 2 commit(s)'],
      });
    });

    it('logs and creates nothing without a team', async () => {
      const own = await webhook({ team_id: null });
      const payload = issueOpened({ title: 'Teamless' });
      const answer = await deliver(service, own, 'issues', payload).expect(200);
      expect(answer.body).toMatchObject({ status: 'processed', actions: [], reason: 'no_team' });
      expect(answer.body.task_id).toBeUndefined();
      expect(await tasksOf('[GitHub] Teamless')).toEqual([]);
    });

    it('changes nothing later unless the lifecycle is synchronised', async () => {
      const payload = issueOpened({ title: 'Stays' });
      await deliver(service, hook, 'issues', payload).expect(200);
      const closed = { ...payload, action: 'closed', issue: { ...payload.issue, state: 'closed' } };
      const answer = await deliver(service, hook, 'issues', closed).expect(200);
      expect(answer.body).toMatchObject({
        status: 'processed',
        actions: [],
        reason: 'lifecycle_create_only',
        event_type: 'issues.closed',
      });
      expect((await tasksOf('[GitHub] Stays'))[0].status).toBe('todo');
    });

    it('follows the item when it is', async () => {
      const own = await webhook({ events: ['issues.*'], config: { lifecycle: 'sync' } });
      const payload = issueOpened({ title: 'Goes' });
      await deliver(service, own, 'issues', payload).expect(200);
      const updated_at = new Date(Date.parse(payload.issue.updated_at) + 60_000).toISOString();
      const closed = {
        ...payload,
        action: 'closed',
        issue: { ...payload.issue, state: 'closed', updated_at },
      };
      await deliver(service, own, 'issues', closed).expect(200);
      expect((await tasksOf('[GitHub] Goes'))[0].status).toBe('cancelled');
    });

    it('calls a pull request closed by merging pull_request.merged', async () => {
      const payload = pullRequestOpened({ merged: true, state: 'closed' }, { action: 'closed' });
      const answer = await deliver(service, hook, 'pull_request', payload).expect(200);
      expect(answer.body).toMatchObject({ event_type: 'pull_request.merged', status: 'processed' });
      const unmerged = pullRequestOpened({ merged: false, state: 'closed' }, { action: 'closed' });
      const ignored = await deliver(service, hook, 'pull_request', unmerged).expect(200);
      expect(ignored.body).toMatchObject({ event_type: 'pull_request.closed', status: 'ignored' });
    });

    it('accepts events of the bound repository only', async () => {
      const { id, full_name } = issueOpened().repository;
      for (const [bound, status] of [
        [id, 'processed'],
        [full_name.toUpperCase(), 'processed'],
        [id + 1, 'ignored'],
        ['octo/other', 'ignored'],
      ]) {
        const own = await webhook({ config: { repository: bound } });
        const answer = await deliver(service, own, 'issues', issueOpened()).expect(200);
        expect(answer.body.status).toBe(status);
        if (status === 'ignored') expect(answer.body.reason).toBe('repository_not_allowed');
      }
    });

    it.each([
      ['anyone', 'NONE', null],
      ['contributors', 'FIRST_TIME_CONTRIBUTOR', 'awaiting_release'],
      ['contributors', 'CONTRIBUTOR', null],
      ['members', 'CONTRIBUTOR', 'awaiting_release'],
      ['members', 'COLLABORATOR', null],
    ])('trusts %s: %s is held for %s', async (trust, author_association, hold_reason) => {
      const own = await webhook({ config: { trust } });
      const answer = await deliver(service, own, 'issues', issueOpened({ author_association })).expect(200);
      const [task] = await service.db.query('SELECT hold_reason FROM tasks WHERE id = $1', [
        answer.body.task_id,
      ]);
      expect(task.hold_reason).toBe(hold_reason);
    });

    it('holds a draft only when the lifecycle is synchronised', async () => {
      for (const [lifecycle, hold_reason] of [
        ['create', null],
        ['sync', 'draft'],
      ]) {
        const own = await webhook({ config: { lifecycle } });
        const answer = await deliver(service, own, 'pull_request', pullRequestOpened({ draft: true }));
        const [task] = await service.db.query('SELECT hold_reason FROM tasks WHERE id = $1', [
          answer.body.task_id,
        ]);
        expect(task.hold_reason).toBe(hold_reason);
      }
    });
  });

  describe('signatures', () => {
    const payload = JSON.stringify(issueOpened({ title: 'Unsigned' }));
    const hex = (secret: string): string => sign(secret, payload).slice(7);

    it.each<[string, (secret: string) => string | undefined, string]>([
      ['missing', () => undefined, 'signature_missing'],
      ['wrong', () => `sha256=${'0'.repeat(64)}`, 'bad_signature'],
      ['of another secret', () => sign('whsec_other', payload), 'bad_signature'],
      ['without prefix', (secret) => hex(secret), 'malformed'],
      ['with SHA256=', (secret) => `SHA256=${hex(secret)}`, 'malformed'],
      ['in capitals', (secret) => `sha256=${hex(secret).toUpperCase()}`, 'malformed'],
      ['not hex', () => `sha256=${'z'.repeat(64)}`, 'malformed'],
      ['63 digits', (secret) => `sha256=${hex(secret).slice(1)}`, 'malformed'],
      ['65 digits', (secret) => `sha256=${hex(secret)}0`, 'malformed'],
      ['two of them', (secret) => `sha256=${hex(secret)}, sha256=${hex(secret)}`, 'malformed'],
      ['empty', () => 'sha256=', 'malformed'],
    ])('refuses one that is %s', async (_, make, reason) => {
      const own = await webhook();
      const answer = await deliver(service, own, 'issues', payload, {
        'X-Hub-Signature-256': make(own.secret),
        'X-GitHub-Delivery': 'guid-1',
      });
      expect(answer.status).toBe(401);
      const { request_id, ...rest } = JSON.parse(answer.text);
      expect(rest).toEqual({
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        detail: 'Invalid signature',
        code: 'invalid_signature',
      });
      expect(request_id).toEqual(expect.any(String));
      expect(await lastDelivery(own.id)).toMatchObject({
        status: 'failed',
        reason,
        guid: 'guid-1',
        attempts: 1,
      });
      expect(await tasksOf('[GitHub] Unsigned')).toEqual([]);
      expect(await service.db.query('SELECT 1 FROM delivery_keys WHERE webhook_id = $1', [own.id])).toEqual(
        [],
      );
    });

    it('refuses SHA-1 alone', async () => {
      const own = await webhook();
      const sha1 = `sha1=${createHmac('sha1', own.secret).update(payload).digest('hex')}`;
      const headers = { 'X-Hub-Signature-256': undefined, 'X-Hub-Signature': sha1 };
      await deliver(service, own, 'issues', payload, headers).expect(401);
      expect(await lastDelivery(own.id)).toMatchObject({ reason: 'sha1_only' });
    });

    it('refuses before it parses, and whatever the media type', async () => {
      const wrong = { 'X-Hub-Signature-256': sign('x', 'y') };
      await deliver(service, hook, 'issues', '{nonsense', wrong).expect(401);
      await deliver(service, hook, 'issues', payload, { ...wrong, 'Content-Type': 'text/plain' }).expect(401);
    });

    it('knows the same bytes again, whatever their headers make of them', async () => {
      const smuggled = issueOpened({ title: 'Smuggled', updated_at: '2030-01-01T00:00:00Z' });
      const text = `&payload=${encodeURIComponent(JSON.stringify(smuggled))}&`;
      const body = JSON.stringify(issueOpened({ body: text, updated_at: '2026-11-01T00:00:00Z' }));
      const send = (type: string) =>
        deliver(service, hook, 'issues', body, { 'X-GitHub-Delivery': randomUUID(), 'Content-Type': type });
      const first = await send('application/json').expect(200);
      expect((await send('application/json').expect(200)).body).toMatchObject({ status: 'ignored' });
      const asForm = await send('application/x-www-form-urlencoded').expect(200);
      expect(asForm.body).toMatchObject({
        status: 'ignored',
        reason: 'replay',
        task_id: first.body.task_id,
      });
      expect(await tasksOf('[GitHub] Smuggled')).toEqual([]);
    });

    it('lets an unsigned guess of a GUID block nothing', async () => {
      const own = await webhook();
      const guid = { 'X-GitHub-Delivery': randomUUID() };
      await deliver(service, own, 'issues', payload, {
        ...guid,
        'X-Hub-Signature-256': sign('x', payload),
      }).expect(401);
      const answer = await deliver(service, own, 'issues', issueOpened(), guid).expect(200);
      expect(answer.body.status).toBe('processed');
    });

    it('verifies the bytes, not what they mean', async () => {
      const spaced = JSON.stringify(issueOpened(), null, 3);
      await deliver(service, hook, 'issues', spaced).expect(200);
      const tight = JSON.stringify(JSON.parse(spaced));
      await deliver(service, hook, 'issues', tight, {
        'X-Hub-Signature-256': sign(hook.secret, spaced),
      }).expect(401);
    });

    it('keeps 4 kB of a refused body, and no secret', async () => {
      const own = await webhook();
      const long = JSON.stringify({ text: 'x'.repeat(10_000) });
      await deliver(service, own, 'push', long, { 'X-Hub-Signature-256': sign('x', long) }).expect(401);
      const { id } = await lastDelivery(own.id);
      const detail = await get(`/webhooks/${own.id}/deliveries/${id}`);
      expect(detail).toMatchObject({ payload_truncated: true, body_size: long.length, event_type: 'push' });
      expect(detail.payload).toHaveLength(4096);
      expect(detail.headers['x-hub-signature-256']).toBe('true');
      expect(JSON.stringify(detail)).not.toContain('sha256=');
    });

    it('fails closed for a webhook whose secret is gone', async () => {
      const own = await webhook();
      await service.db.query(`UPDATE webhooks SET secret = '\\x', revision = revision + 1 WHERE id = $1`, [
        own.id,
      ]);
      const answer = await deliver(service, own, 'issues', payload, {
        'X-Hub-Signature-256': sign('', payload),
      });
      expect(answer.status).toBe(401);
      expect(await lastDelivery(own.id)).toMatchObject({ reason: 'no_secret' });
    });

    it('stops writing refusals down when they flood, and then asks to wait', async () => {
      const limited = await startTestService({ ENTOURAGE_RECEIVE_REFUSED_PER_MINUTE: 25 });
      try {
        const own = await makeWorkspace(limited.db);
        const target = await makeWebhook(limited, own.key, { org_id: own.org.id });
        const wrong = { 'X-Hub-Signature-256': sign('x', 'y') };
        for (let n = 0; n < 25; n += 1) await deliver(limited, target, 'push', {}, wrong).expect(401);
        const answer = await deliver(limited, target, 'push', {}, wrong).expect(429);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        const [{ count }] = await limited.db.query('SELECT count(*)::int FROM deliveries');
        expect(count).toBe(20);
        const other = await makeWebhook(limited, own.key, { org_id: own.org.id });
        await deliver(limited, other, 'push', {}).expect(200);
      } finally {
        await limited.close();
      }
    });
  });

  describe('secret rotation', () => {
    it('stops the old secret at once', async () => {
      const own = await webhook();
      await deliver(service, own, 'issues', issueOpened()).expect(200);
      const fresh = await service.http
        .post(`/api/v1/webhooks/${own.id}/regenerate-secret`)
        .set('X-API-Key', space.key);
      await deliver(service, own, 'issues', issueOpened()).expect(401);
      await deliver(service, { ...own, secret: fresh.body.secret }, 'issues', issueOpened()).expect(200);
    });

    it('stops it in every process', async () => {
      const own = await webhook();
      const sibling = await startTestService({ DATABASE_URL: service.settings.DATABASE_URL });
      try {
        await deliver(sibling, own, 'issues', issueOpened()).expect(200);
        const fresh = await service.http
          .post(`/api/v1/webhooks/${own.id}/regenerate-secret`)
          .set('X-API-Key', space.key);
        const payload = issueOpened({ title: 'Too late' });
        await deliver(sibling, own, 'issues', payload).expect(401);
        expect(await tasksOf('[GitHub] Too late')).toEqual([]);
        await deliver(sibling, { ...own, secret: fresh.body.secret }, 'issues', issueOpened()).expect(200);
        await service.http
          .patch(`/api/v1/webhooks/${own.id}`)
          .set('X-API-Key', space.key)
          .send({ active: false });
        await deliver(sibling, { ...own, secret: fresh.body.secret }, 'issues', issueOpened()).expect(410);
        await service.http.delete(`/api/v1/webhooks/${own.id}`).set('X-API-Key', space.key).expect(200);
        await deliver(sibling, { ...own, secret: fresh.body.secret }, 'issues', issueOpened()).expect(404);
      } finally {
        await sibling.close();
      }
    });

    it('keeps it for the grace period, and says which one fitted', async () => {
      const own = await webhook();
      const fresh = await service.http
        .post(`/api/v1/webhooks/${own.id}/regenerate-secret`)
        .set('X-API-Key', space.key)
        .send({ grace_period_seconds: 600 });
      const old = await deliver(service, own, 'issues', issueOpened()).expect(200);
      const explained = await get(`/webhooks/${own.id}/deliveries/${old.body.delivery_id}/explain`);
      expect(explained.signature).toBe('valid_previous');
      await deliver(service, { ...own, secret: fresh.body.secret }, 'issues', issueOpened()).expect(200);
      await service.db.query(
        `UPDATE webhooks SET previous_secret_expires_at = now() - interval '1 second', revision = revision + 1
         WHERE id = $1`,
        [own.id],
      );
      await deliver(service, own, 'issues', issueOpened()).expect(401);
      const { reason, error } = await lastDelivery(own.id);
      expect({ reason, error }).toEqual({
        reason: 'bad_signature',
        error: 'signed with the secret that has been replaced',
      });
    });
  });

  describe('the address', () => {
    it('answers unknown, deleted and malformed ids alike', async () => {
      const gone = await webhook();
      await service.http.delete(`/api/v1/webhooks/${gone.id}`).set('X-API-Key', space.key).expect(200);
      const bodies = [];
      for (const id of [gone.id, randomUUID(), 'not-a-uuid', '%00']) {
        const answer = await deliver(service, { ...gone, id }, 'issues', issueOpened());
        expect(answer.status).toBe(404);
        const { request_id, ...rest } = JSON.parse(answer.text);
        expect(request_id).toBeTruthy();
        bodies.push(JSON.stringify(rest));
      }
      expect(new Set(bodies).size).toBe(1);
    });

    it('takes POST only', async () => {
      for (const method of ['get', 'put', 'patch', 'delete'] as const) {
        const answer = await service.http[method](`/api/v1/webhooks/${hook.id}/receive`);
        expect(answer.status).toBe(405);
        expect(answer.headers['allow']).toBe('POST');
      }
    });

    it('answers 410 for a disabled webhook after the signature, and lets it be replayed', async () => {
      const own = await webhook();
      const patch = (active: boolean) =>
        service.http.patch(`/api/v1/webhooks/${own.id}`).set('X-API-Key', space.key).send({ active });
      await patch(false);
      const payload = issueOpened();
      await deliver(service, own, 'issues', payload, { 'X-Hub-Signature-256': sign('x', 'y') }).expect(401);
      const guid = { 'X-GitHub-Delivery': randomUUID() };
      const gone = await deliver(service, own, 'issues', payload, guid).expect(410);
      expect(JSON.parse(gone.text).code).toBe('webhook_disabled');
      const { id, status, reason } = await lastDelivery(own.id);
      expect({ status, reason }).toEqual({ status: 'failed', reason: 'webhook_disabled' });
      await patch(true);
      const replayed = await service.http
        .post(`/api/v1/webhooks/${own.id}/deliveries/${id}/replay`)
        .set('X-API-Key', space.key)
        .expect(200);
      expect(replayed.body).toMatchObject({ delivery_id: id, status: 'processed' });
      expect(replayed.body.task_id).toEqual(expect.any(Number));
      const again = await deliver(service, own, 'issues', payload, guid).expect(200);
      expect(again.body).toMatchObject({ status: 'duplicate', task_id: replayed.body.task_id });
    });
  });

  describe('bodies', () => {
    const rejected = async (
      body: string | Buffer,
      status: number,
      code: string,
      headers: Record<string, string | undefined> = {},
      event = 'issues',
    ): Promise<void> => {
      const own = await webhook();
      const answer = await deliver(service, own, event, body, headers);
      expect([answer.status, JSON.parse(answer.text).code]).toEqual([status, code]);
      expect(await lastDelivery(own.id)).toMatchObject({ status: 'failed', reason: code });
    };

    it('keeps what is not JSON', () => rejected('{"a": ', 400, 'invalid_json'));
    it('keeps an empty body', () => rejected('', 400, 'invalid_json'));
    it('keeps what is not UTF-8', () => rejected(Buffer.from([0x22, 0xff, 0x22]), 400, 'invalid_utf8'));
    it('keeps a byte order mark', () => rejected('\uFEFF{}', 400, 'invalid_utf8'));
    it('keeps what is no object', () => rejected('[1]', 422, 'unexpected_shape'));
    it('keeps what is nested too deep', () =>
      rejected(`{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 400, 'invalid_json'));
    it('keeps another media type', () =>
      rejected('{}', 415, 'unsupported_media_type', { 'Content-Type': 'text/plain' }));
    it('keeps what is compressed, as it came', () =>
      rejected('{}', 415, 'unsupported_media_type', { 'Content-Encoding': 'gzip' }));
    it('keeps a form with two payloads', () =>
      rejected('payload=%7B%7D&payload=%7B%7D', 415, 'unsupported_media_type', {
        'Content-Type': 'application/x-www-form-urlencoded',
      }));
    it.each([
      ['issues', { pull_request: { title: 'x' }, number: 1 }],
      ['issues', { issue: { number: 1 } }],
      ['pull_request', { issue: { title: 'x' } }],
      ['ping', { hook_id: 1 }],
    ])('keeps a body that is not of its event: %s %j', (event, body) =>
      rejected(JSON.stringify(body), 422, 'event_body_mismatch', {}, event),
    );
    it('keeps a delivery id that is none', () =>
      rejected('{}', 400, 'bad_request', { 'X-GitHub-Delivery': 'x'.repeat(300) }));

    it('survives duplicate keys, huge numbers, __proto__, NUL and lone surrogates', async () => {
      const payload = JSON.stringify(
        issueOpened({ title: 'TITLE', body: 'BODY', labels: [{ name: 'LABEL' }] }),
      )
        .replace('"TITLE"', '"first","title":"a\\u0000b\\ud800c"')
        .replace('"BODY"', '"\\u0000\\udc00 text"')
        .replace('"LABEL"', '"l\\u0000\\ud83d"')
        .replace(
          '{',
          '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"n":1e400,',
        );
      const answer = await deliver(service, hook, 'issues', payload).expect(200);
      const [task] = await service.db.query('SELECT title, description FROM tasks WHERE id = $1', [
        answer.body.task_id,
      ]);
      expect(task.title).toBe('[GitHub] ab\uFFFDc');
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      const { payload: kept } = await get(`/webhooks/${hook.id}/deliveries/${answer.body.delivery_id}`);
      expect(kept.issue.title).toBe('a\0b\ud800c');
    });

    it('shortens a long title and keeps a long body', async () => {
      const answer = await deliver(
        service,
        hook,
        'issues',
        issueOpened({ title: 't'.repeat(600), body: 'b'.repeat(65_536) }),
      ).expect(200);
      const [task] = await service.db.query('SELECT title, description FROM tasks WHERE id = $1', [
        answer.body.task_id,
      ]);
      expect(task.title).toHaveLength(500);
      expect(task.title.endsWith('…')).toBe(true);
      expect(task.description.endsWith('b'.repeat(65_536))).toBe(true);
    });

    it('takes 25 MiB, and one byte more is too much', async () => {
      const own = await webhook();
      const payload = JSON.stringify(issueOpened({ title: 'Large' }));
      const filler = (size: number): string =>
        `${payload.slice(0, -1)},"filler":"${'x'.repeat(size - payload.length - 12)}"}`;
      const limit = 25 * 1024 * 1024;
      expect(Buffer.byteLength(filler(limit))).toBe(limit);
      await deliver(service, own, 'issues', filler(limit)).expect(200);
      await deliver(service, own, 'issues', filler(limit + 1)).expect(413);
      expect(await lastDelivery(own.id)).toMatchObject({
        status: 'failed',
        reason: 'body_too_large',
        body_size: limit + 1,
      });
    });

    it('counts a body that does not tell its length', async () => {
      const stream = new ReadableStream({
        pull(controller) {
          controller.enqueue(Buffer.alloc(1024 * 1024, 0x20));
        },
      });
      const answer = await fetch(`${service.url}/api/v1/webhooks/${hook.id}/receive`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: stream,
        duplex: 'half',
      });
      expect(answer.status).toBe(413);
    });
  });
});
