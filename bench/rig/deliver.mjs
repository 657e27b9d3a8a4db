import { createHmac } from 'node:crypto';
import { v1 } from 'uuid';
import { nextBody } from './payloads.mjs';

/** A signed delivery that was never sent before. */
export function nextDelivery({ event, secret, text_bytes }) {
  const body = nextBody(event, text_bytes);
  const headers = {
    'content-type': 'application/json',
    'x-github-event': event,
    // GitHub's GUIDs are uuids of version 1.
    'x-github-delivery': v1(),
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
  return { headers, body };
}
