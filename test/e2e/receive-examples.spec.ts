import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { makeWorkspace } from '../factories/accounts.js';
import { deliver, makeWebhook, sign } from '../factories/webhooks.js';
import { EXAMPLE_FOLDERS, examples, issueOpened } from '../fixtures/github/payloads.js';
import { startTestService, type TestService } from '../support/service.js';

describe('whatever comes', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_RECEIVE_REFUSED_PER_MINUTE: 0 });
  });
  afterAll(() => service.close());

  const webhook = async (values: Record<string, unknown> = {}) => {
    const { org, team, key } = await makeWorkspace(service.db);
    return makeWebhook(service, key, { org_id: org.id, team_id: team.id, ...values });
  };

  describe.each([{}, { events: ['*'], config: { lifecycle: 'sync', auto_assign: true } }])(
    'to %j',
    (values) => {
      it.each(EXAMPLE_FOLDERS)(
        'every real payload of %s is answered 2xx and logged',
        async (folder) => {
          const hook = await webhook(values);
          const all = examples(folder).flatMap(({ name, examples }) =>
            examples.map((payload) => ({ name, payload })),
          );
          expect(all.length).toBeGreaterThan(40);
          const ids = new Set<string>();
          for (let at = 0; at < all.length; at += 16) {
            const answers = await Promise.all(
              all
                .slice(at, at + 16)
                .map(({ name, payload }) =>
                  deliver(service, hook, name, payload, { 'X-GitHub-Delivery': randomUUID() }),
                ),
            );
            for (const answer of answers) {
              expect([answer.status, answer.text]).toEqual([200, expect.anything()]);
              ids.add(answer.body.delivery_id);
            }
          }
          const rows = await service.db.query('SELECT id, status FROM deliveries WHERE webhook_id = $1', [
            hook.id,
          ]);
          expect(new Set(rows.map((row: { id: string }) => row.id))).toEqual(ids);
          expect(ids.size).toBe(all.length);
          expect(rows.filter((row: { status: string }) => row.status === 'failed')).toEqual([]);
        },
        60_000,
      );
    },
  );

  const EVENTS = [
    'issues',
    'pull_request',
    'push',
    'ping',
    'star',
    'issues.opened',
    'unknown',
    '',
    '\u00ff',
    'x'.repeat(200),
  ];
  const neverFails = async (status: number): Promise<void> => {
    expect(status).toBeLessThan(500);
    await Promise.resolve();
  };

  it('fuzzed JSON never gives a 5xx', async () => {
    const hook = await webhook({ events: ['*'], config: { lifecycle: 'sync' } });
    const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
    const item = fc.record(
      {
        title: fc.oneof(fc.string({ unit: 'binary' }), value),
        body: fc.oneof(fc.string({ unit: 'binary' }), value),
        number: fc.oneof(fc.integer(), fc.double(), value),
        labels: fc.oneof(
          fc.array(fc.oneof(fc.record({ name: fc.string({ unit: 'binary' }) }), value)),
          value,
        ),
        user: value,
        state: fc.constantFrom('open', 'closed', 7),
        draft: fc.oneof(fc.boolean(), value),
        updated_at: fc.oneof(fc.constant('2026-01-01T00:00:00Z'), fc.string(), fc.integer()),
        author_association: fc.oneof(fc.string(), value),
      },
      { requiredKeys: [] },
    );
    const payload = fc.record(
      {
        action: fc.oneof(
          fc.constantFrom(
            'opened',
            'labeled',
            'unlabeled',
            'edited',
            'closed',
            'reopened',
            'transferred',
            'deleted',
          ),
          fc.string({ unit: 'binary' }),
          value,
        ),
        issue: fc.oneof(item, value),
        pull_request: fc.oneof(item, value),
        repository: fc.oneof(
          fc.record({
            id: fc.oneof(fc.integer({ min: 1, max: 3 }), value),
            html_url: fc.oneof(fc.webUrl(), value),
            full_name: value,
          }),
          value,
        ),
        label: fc.oneof(fc.record({ name: fc.string({ unit: 'binary' }) }), value),
        changes: value,
        sender: value,
        commits: value,
        ref: value,
        zen: value,
        hook: value,
        hook_id: value,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('issues', 'pull_request', 'push', 'ping', 'star'),
        payload,
        async (event, body) => {
          await neverFails((await deliver(service, hook, event, body)).status);
        },
      ),
      { numRuns: 400 },
    );
  }, 60_000);

  it('fuzzed bytes and headers never give a 5xx', async () => {
    const hook = await webhook({ events: ['*'] });
    const header = fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
      maxLength: 300,
    });
    const maybe = (known: string[]) =>
      fc.option(fc.oneof(fc.constantFrom(...known), header), { nil: undefined });
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.constant(Buffer.from(JSON.stringify(issueOpened()))),
    );
    await fc.assert(
      fc.asyncProperty(
        body,
        fc.record({
          'X-GitHub-Event': maybe(EVENTS.filter((name) => name !== '')),
          'X-Event-Type': maybe(['issues']),
          'X-GitHub-Delivery': maybe([randomUUID()]),
          'Content-Type': maybe(['application/json', 'application/x-www-form-urlencoded', 'text/plain']),
          'User-Agent': maybe(['GitHub-Hookshot/1']),
          'X-Hub-Signature': maybe(['sha1=0']),
        }),
        fc.option(header, { nil: undefined }),
        async (raw, headers, signature) => {
          const signed = signature ?? sign(hook.secret, raw);
          const answer = await deliver(service, hook, undefined, raw, {
            ...headers,
            'X-Hub-Signature-256': signed,
          });
          await neverFails(answer.status);
          if (signature !== undefined) expect(answer.status).toBe(401);
        },
      ),
      { numRuns: 400 },
    );
  }, 60_000);
});
