import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ProcessBatch } from '../../src/modules/webhooks/receive/process-batch.js';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { startTestService, type TestService } from '../support/service.js';

const push = (commits = 1): object => ({
  ref: 'refs/heads/main',
  commits: Array.from({ length: commits }, () => ({ id: randomUUID() })),
});

/** Deliveries without effect are recorded in one statement, which must come to the same as the transaction. */
describe('deliveries without effect', () => {
  let service: TestService;
  let hook: TestWebhook;
  let key: string;
  beforeAll(async () => {
    service = await startTestService();
    const space = await makeWorkspace(service.db);
    key = space.key;
    hook = await makeWebhook(service, key, { org_id: space.org.id, team_id: space.team.id, events: ['*'] });
  });
  afterAll(() => service.close());

  const recorded = (guid: string): Promise<{ status: string; reason: string | null; attempts: number }[]> =>
    service.db.query('SELECT status, reason, attempts FROM deliveries WHERE guid = $1', [guid]);
  const send = async (guid: string, body: object, to = service, event = 'push') =>
    deliver(to, hook, event, body, { 'X-GitHub-Delivery': guid });

  it('need no transaction, unless something else comes with them', async () => {
    const transaction = jest.spyOn(service.app.get(ProcessBatch, { strict: false }), 'process');
    try {
      expect((await send(randomUUID(), push(2))).body).toMatchObject({
        status: 'processed',
        event_type: 'push',
        actions: ['push to refs/heads/main: 2 commit(s)'],
      });
      expect((await send(randomUUID(), { zen: 'x' }, service, 'watch')).body).toMatchObject({
        status: 'processed',
        reason: 'no_effect',
      });
      expect(transaction).not.toHaveBeenCalled();
      expect((await send(randomUUID(), issueOpened(), service, 'issues')).body).toMatchObject({
        status: 'processed',
        actions: [expect.stringMatching(/^created task/)],
      });
      expect(transaction).toHaveBeenCalledTimes(1);
    } finally {
      transaction.mockRestore();
    }
  });

  it('are recorded once, however many come at the same time', async () => {
    const bodies = Array.from({ length: 10 }, () => ({ guid: randomUUID(), body: push() }));
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => bodies)
        .flat()
        .map(async ({ guid, body }) => ({ guid, answer: await send(guid, body) })),
    );
    for (const { guid } of bodies) {
      const own = answers.filter((one) => one.guid === guid).map(({ answer }) => answer.body);
      const kinds = own.map(({ status }) => status);
      expect(kinds.filter((kind) => kind === 'processed')).toHaveLength(1);
      expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(3);
      expect(new Set(own.map(({ delivery_id }) => delivery_id)).size).toBe(1);
      expect(await recorded(guid)).toEqual([{ status: 'processed', reason: null, attempts: 1 }]);
      expect(await service.db.query('SELECT duplicates FROM delivery_keys WHERE guid = $1', [guid])).toEqual([
        { duplicates: 3 },
      ]);
    }
  });

  it('are told from replays and from a GUID used for another body, also at the same time', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    const body = push();
    const answers = await Promise.all([send(first, body), send(first, push()), send(second, body)]);
    const kinds = answers.map(({ status, body: { status: kind, reason, code } }) => [
      status,
      kind,
      reason ?? code,
    ]);
    expect(kinds).toEqual([
      [200, 'processed', undefined],
      [409, 409, 'guid_body_mismatch'],
      [200, 'ignored', 'replay'],
    ]);
    expect(await recorded(second)).toEqual([{ status: 'received', reason: 'replay', attempts: 1 }]);
  });

  it('are judged by their webhook as it is now, whatever this process remembers of it', async () => {
    const change = (path: string, values: object) =>
      service.http.patch(`/api/v1/webhooks/${hook.id}${path}`).set('X-API-Key', key).send(values).expect(200);
    const sibling = await startTestService({ DATABASE_URL: service.settings.DATABASE_URL });
    try {
      expect((await send(randomUUID(), push(), sibling)).body.status).toBe('processed');
      await change('', { events: ['issues'] });
      expect((await send(randomUUID(), push(), sibling)).body).toMatchObject({
        status: 'ignored',
        reason: 'event_not_subscribed',
      });
      await change('', { events: ['*'], active: false });
      const guid = randomUUID();
      expect((await send(guid, push(), sibling)).status).toBe(410);
      expect(await recorded(guid)).toMatchObject([{ status: 'failed', reason: 'webhook_disabled' }]);
      await change('', { active: true });
    } finally {
      await sibling.close();
    }
  });
});
