import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OUTBOUND_EVENTS } from '../../src/modules/notifications/outbound-events.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeOutboundWebhook } from '../factories/outbound.js';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.js';
import { startTestService, type TestService } from '../support/service.js';

const DOCS = readFileSync('docs/receiving-notifications.md', 'utf8');
const block = (language: string): string => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(DOCS)![1]!;
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** The code that docs/receiving-notifications.md shows to receivers, word for word, on a notification that was sent. */
describe('docs/receiving-notifications.md', () => {
  let service: TestService;
  let receiver: Receiver;
  let secret: string;
  let received: ReceivedRequest;
  let directory: string;
  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'] });
    receiver = await startReceiver();
    directory = mkdtempSync(join(tmpdir(), 'receiving-'));
    const { org, key } = await makeWorkspace(service.db);
    const hook = await makeOutboundWebhook(service, key, { org_id: org.id, url: receiver.url });
    ({ secret } = hook);
    await service.http
      .post(`/api/v1/outbound-webhooks/${hook.id}/regenerate-secret`)
      .set('X-API-Key', key)
      .expect(200);
    await service.http.post(`/api/v1/outbound-webhooks/${hook.id}/test`).set('X-API-Key', key).expect(200);
    received = receiver.received[0]!;
  });
  afterAll(async () => {
    await service.close();
    await receiver.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const cases = (): { headers: object; body: string; secret: string }[] => {
    const { headers, body } = received;
    const old = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 301) };
    return [
      { headers, body, secret },
      { headers, body: `${body} `, secret },
      { headers: old, body, secret },
      { headers, body, secret: `whsec_${Buffer.alloc(32).toString('base64')}` },
    ];
  };
  const run = (program: string, file: string, code: string): unknown => {
    writeFileSync(join(directory, file), code);
    writeFileSync(join(directory, 'cases.json'), JSON.stringify(cases()));
    const { stdout, stderr } = spawnSync(program, [join(directory, file)], {
      cwd: directory,
      encoding: 'utf8',
    });
    if (stderr !== '') throw new Error(stderr);
    return JSON.parse(stdout);
  };

  it('verifies in Node', () => {
    const code = `${block('js')}
      import { readFileSync } from 'node:fs';
      const cases = JSON.parse(readFileSync('cases.json', 'utf8'));
      console.log(JSON.stringify(cases.map((one) => verify(one.secret, one.headers, Buffer.from(one.body)))));`;
    expect(run(process.execPath, 'verify.mjs', code)).toEqual([true, false, false, false]);
  });

  (hasPython ? it : it.skip)('verifies in Python', () => {
    const code = `${block('python')}
import json
cases = json.load(open("cases.json"))
print(json.dumps([verify(one["secret"], one["headers"], one["body"].encode()) for one in cases]))`;
    expect(run('python3', 'verify.py', code)).toEqual([true, false, false, false]);
  });

  it('names every event', () => {
    for (const event of OUTBOUND_EVENTS) expect(DOCS).toContain(`| \`${event}\` `);
  });
});
