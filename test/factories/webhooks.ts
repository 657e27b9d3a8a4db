import { createHmac } from 'node:crypto';
import type supertest from 'supertest';
import { type TestService } from '../support/service.js';

export interface TestWebhook {
  id: string;
  secret: string;
  org_id: string;
}

/** A webhook made through the API, which is the only place its secret is told. */
export async function makeWebhook(
  service: TestService,
  key: string,
  values: Record<string, unknown> & { org_id: string },
): Promise<TestWebhook> {
  const answer = await service.http
    .post('/api/v1/webhooks')
    .set('X-API-Key', key)
    .send({ name: 'GitHub', ...values });
  if (answer.status !== 201) throw new Error(`webhook not made: ${answer.text}`);
  return answer.body;
}

export const sign = (secret: string, body: string | Buffer): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

/** Sends `body` to a webhook as GitHub does. A header given as undefined is left out. */
export function deliver(
  service: TestService,
  webhook: { id: string; secret: string },
  event: string | undefined,
  body: unknown,
  headers: Record<string, string | undefined> = {},
): supertest.Test {
  const raw = typeof body === 'string' ? body : Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const all: Record<string, string | undefined> = {
    'Content-Type': 'application/json',
    'User-Agent': 'GitHub-Hookshot/044aadd',
    'X-GitHub-Event': event,
    'X-Hub-Signature-256': sign(webhook.secret, raw),
    ...headers,
  };
  const request = service.http.post(`/api/v1/webhooks/${webhook.id}/receive`);
  for (const [name, value] of Object.entries(all)) if (value !== undefined) void request.set(name, value);
  return request.serialize((sent: unknown) => sent as string).send(raw);
}
