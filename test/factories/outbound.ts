import { type TestService } from '../support/service.js';

export interface TestOutboundWebhook {
  id: string;
  secret: string;
  org_id: string;
}

/** An outbound webhook made through the API, which is the only place its secret is told. */
export async function makeOutboundWebhook(
  service: TestService,
  key: string,
  values: Record<string, unknown> & { org_id: string; url: string },
): Promise<TestOutboundWebhook> {
  const answer = await service.http
    .post('/api/v1/outbound-webhooks')
    .set('X-API-Key', key)
    .send({ events: ['*'], ...values });
  if (answer.status !== 201) throw new Error(`outbound webhook not made: ${answer.text}`);
  return answer.body;
}
