import { v1 } from 'uuid';
import { setTimeout as delay } from 'node:timers/promises';
import { sign } from '../../factories/webhooks.js';
import { issueOpened } from '../../fixtures/github/payloads.js';
import { type Callers } from './callers.js';

export interface Acknowledged {
  guid: string;
  number: number;
  delivery_id: string;
  task_id: number;
}

export interface Sending {
  issues: number;
  senders: number;
  /** Of each sender, between two issues. */
  pause_ms: number;
}

/**
 * Opens issues at GitHub, as it were: each delivery is sent under its GUID until one api has acknowledged it. Every
 * third issue comes a second time at the same moment, under another GUID and with other bytes.
 * @param acknowledged filled as the answers come.
 */
export async function sendIssues(
  callers: Callers,
  hook: { id: string; secret: string },
  { issues, senders, pause_ms }: Sending,
  acknowledged: Acknowledged[],
): Promise<void> {
  const send = async (payload: ReturnType<typeof issueOpened>): Promise<void> => {
    const guid = v1();
    const body = JSON.stringify(payload);
    const { status, json } = await callers.insist(`/api/v1/webhooks/${hook.id}/receive`, body, {
      'X-GitHub-Event': 'issues',
      'X-GitHub-Delivery': guid,
      'X-Hub-Signature-256': sign(hook.secret, body),
    });
    if (status !== 200) throw new Error(`a delivery was answered ${status}: ${JSON.stringify(json)}`);
    const { delivery_id, task_id } = json;
    acknowledged.push({ guid, number: payload.issue.number, delivery_id, task_id });
  };
  let left = issues;
  const sender = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const twice = left % 3 === 0;
      const payload = issueOpened();
      await Promise.all([
        send(payload),
        ...(twice ? [send({ ...payload, installation: { id: left } })] : []),
      ]);
      await delay(pause_ms);
    }
  };
  await Promise.all(Array.from({ length: senders }, sender));
}
