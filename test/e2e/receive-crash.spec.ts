import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import supertest from 'supertest';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, type TestWebhook } from '../factories/webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { ChildService } from '../support/child-service.js';
import { startTestService, TEST_SETTINGS, type TestService } from '../support/service.js';

const DELIVERIES = 100;

describe('a service that is killed while it receives', () => {
  let direct: TestService;
  let hook: TestWebhook;
  const children: ChildService[] = [];
  beforeAll(async () => {
    direct = await startTestService();
    const { org, team, key } = await makeWorkspace(direct.db);
    hook = await makeWebhook(direct, key, { org_id: org.id, team_id: team.id });
  });
  afterAll(async () => {
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
    await direct.close();
  });

  const start = async (): Promise<{ child: ChildService; service: TestService }> => {
    const child = new ChildService({
      DATABASE_URL: direct.settings.DATABASE_URL,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
    });
    children.push(child);
    return { child, service: { ...direct, http: supertest(await child.ready()) } };
  };

  it.each([1, 20, 60])(
    'loses nothing it has acknowledged, and does nothing twice: after %d answers',
    async (kill) => {
      const sent = Array.from({ length: DELIVERIES }, () => ({ guid: randomUUID(), payload: issueOpened() }));
      const acknowledged = new Map<string, string>();
      const { child, service } = await start();
      await Promise.all(
        sent.map(async ({ guid, payload }) => {
          try {
            const answer = await deliver(service, hook, 'issues', payload, { 'X-GitHub-Delivery': guid });
            if (answer.status !== 200) return;
            acknowledged.set(guid, answer.body.delivery_id);
            if (acknowledged.size === kill) child.signal('SIGKILL');
          } catch {
            // The connection died with the process: nothing was promised.
          }
        }),
      );
      await child.exited;
      expect(acknowledged.size).toBeGreaterThanOrEqual(kill);

      const next = await start();
      for (const { guid, payload } of sent) {
        const answer = await deliver(next.service, hook, 'issues', payload, {
          'X-GitHub-Delivery': guid,
        }).expect(200);
        const before = acknowledged.get(guid);
        if (before !== undefined)
          expect(answer.body).toMatchObject({ status: 'duplicate', delivery_id: before });
        expect(answer.body.task_id).toEqual(expect.any(Number));
      }
      const rows: { deliveries: number; tasks: number }[] = await direct.db.query(
        `SELECT (SELECT count(*)::int FROM deliveries d WHERE d.guid = s.guid) AS deliveries,
              (SELECT count(*)::int FROM tasks t JOIN task_sources o ON o.task_id = t.id WHERE o.number = s.number) AS tasks
       FROM unnest($1::text[], $2::int[]) AS s(guid, number)`,
        [sent.map(({ guid }) => guid), sent.map(({ payload }) => payload.issue.number)],
      );
      expect(rows).toEqual(sent.map(() => ({ deliveries: 1, tasks: 1 })));
      await next.child.stop();
    },
    90_000,
  );
});
