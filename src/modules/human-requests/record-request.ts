import { type EntityManager } from 'typeorm';
import { HUMAN_REQUESTS_CHANNEL } from '../../database/channels.js';
import { type Actor } from '../auth/identity.js';
import { Task } from '../tasks/task.entity.js';
import { type Messages, recordEvent } from '../tasks/tasks.facade.js';
import { type HumanRequest, type HumanRequestStatus } from './human-request.entity.js';

const EVENTS: Record<HumanRequestStatus, string> = {
  pending: 'human_request.created',
  resolved: 'human_request.resolved',
  expired: 'human_request.expired',
};

/**
 * Tells of what a request has become, in the transaction of that change: the task's audit trail, and who waits. Neither
 * question nor answer is in the trail, which cannot be redacted.
 */
export async function recordRequest(
  manager: EntityManager,
  request: HumanRequest,
  actor: Actor,
): Promise<void> {
  const { id: request_id, agent_id, team_id, task_id, org_id, status, kind } = request;
  if (task_id !== null) {
    const { correlation_id } = await manager.findOneByOrFail(Task, { id: task_id });
    await recordEvent(manager, {
      org_id,
      task_id,
      type: EVENTS[status],
      data: { request_id, agent_id, kind },
      actor,
      correlation_id,
      ...(request.claimed === null ? {} : { claimed: request.claimed }),
    });
  }
  await manager.query('SELECT pg_notify($1, $2)', [
    HUMAN_REQUESTS_CHANNEL,
    JSON.stringify({ request_id, agent_id, team_id, status }),
  ]);
}

/** Puts the end of a request into the inbox of the agent that asked: it is in its next prompt. */
export async function tellAsker(
  manager: EntityManager,
  messages: Messages,
  request: HumanRequest,
  actor: Actor,
): Promise<void> {
  const { org_id, team_id, task_id, question } = request;
  const end =
    request.response === null
      ? 'Nobody answered in time: the request has expired.'
      : `The answer is:\n${request.response}`;
  const content = `## Human Request ${request.id}\n\nYou asked:\n${question}\n\n${end}`;
  await messages.tell(manager, { org_id, team_id, task_id, recipient_id: request.agent_id, content, actor });
}
