import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { type DataSource } from 'typeorm';
import { newId, idTime } from '../../src/database/new-id.js';
import { Delivery } from '../../src/modules/deliveries/delivery.entity.js';
import { DeliveryKey } from '../../src/modules/deliveries/delivery-key.entity.js';
import { DeliveryPartitions } from '../../src/modules/deliveries/delivery-partitions.service.js';
import { AgentSession } from '../../src/modules/budgets/agent-session.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { OutboundDelivery } from '../../src/modules/notifications/outbound-delivery.entity.js';
import { OutboundWebhook } from '../../src/modules/notifications/outbound-webhook.entity.js';
import { OutboundWebhookState } from '../../src/modules/notifications/outbound-webhook-state.entity.js';
import { GithubCredential } from '../../src/modules/github/credentials/github-credential.entity.js';
import { GithubWriteBack } from '../../src/modules/github/write-back/github-write-back.entity.js';
import { MergeJob } from '../../src/modules/merges/merge-job.entity.js';
import { PullRequest } from '../../src/modules/pull-requests/pull-request.entity.js';
import { CodeRepository } from '../../src/modules/repositories/repository.entity.js';
import { TeamConvention } from '../../src/modules/settings/team-convention.entity.js';
import { StoredTeamSettings } from '../../src/modules/settings/team-settings.entity.js';
import { HumanRequest } from '../../src/modules/human-requests/human-request.entity.js';
import { Review } from '../../src/modules/reviews/review.entity.js';
import { ReviewComment } from '../../src/modules/reviews/review-comment.entity.js';
import { Message } from '../../src/modules/tasks/message.entity.js';
import { TaskEvent } from '../../src/modules/tasks/task-event.entity.js';
import { Webhook } from '../../src/modules/webhooks/webhook.entity.js';
import { makeAgent, makeApiKey, makeMembership, makeOrganization, makeTeam, makeUser } from './accounts.js';
import { commitTo, initRepository } from './repositories.js';
import { makeTask } from './tasks.js';

/** Every name, text and secret of a tenant holds this, so that it is known wherever it turns up. */
export const MARK = 'victim-7f3a';

/** In everything of its team. */
export const MARK_OF_TEAM = `${MARK} of-team`;

/** Numbers of their own, which no other row of a test has. */
const TASK_ID = 990_000_001;
const MESSAGE_ID = 990_000_002;
const SESSION_ID = 990_000_009;
const APP_ID = 990_000_003;
const INSTALLATION_ID = 990_000_004;
const SUBTASK_ID = 990_000_005;
const REVIEW_ID = 990_000_007;
const HUMAN_REQUEST_ID = 990_000_008;

export type Tenant = Awaited<ReturnType<typeof makeTenant>>;

/**
 * An organization with one of everything, and the ids of all by the names that parameters have. Its repository is on the
 * disk if there is a directory for it.
 */
export async function makeTenant(db: DataSource, mark: string, offset = 0, repos_dir?: string) {
  const ofTeamMark = `${mark} of-team`;
  const org = await makeOrganization(db, { name: `${mark} org`, slug: `org-${mark}` });
  const owner = await makeUser(db, { name: `${mark} owner`, email: `owner@${mark}.example.com` });
  await makeMembership(db, org.id, owner.id, 'owner');
  const member = await makeUser(db, { name: `${mark} member`, email: `member@${mark}.example.com` });
  await makeMembership(db, org.id, member.id, 'member');
  const key = await makeApiKey(db, org.id, ['all'], { name: `${mark} key` });
  const team = await makeTeam(db, org.id, { name: `${ofTeamMark} team`, slug: `team-${mark}` });
  const agent = await makeAgent(db, team, {
    name: `${ofTeamMark} agent`,
    config: { note: ofTeamMark },
    status: 'working',
  });
  const agentKey = await makeApiKey(db, org.id, ['all'], {
    agent_id: agent.id,
    name: `${ofTeamMark} agent key`,
  });
  const ofTeam = { org_id: org.id, team_id: team.id };
  await db
    .getRepository(StoredTeamSettings)
    .insert({ team_id: team.id, values: { notifications: { to: ofTeamMark } } });
  await db.getRepository(TeamConvention).insert({ team_id: team.id, key: 'notes', content: ofTeamMark });
  const repository = await db.getRepository(CodeRepository).save({
    id: newId(),
    ...ofTeam,
    name: `${ofTeamMark} repository`,
    local_path: join(repos_dir ?? '/srv', mark),
  });
  const webhook = await db.getRepository(Webhook).save({
    id: newId(),
    ...ofTeam,
    name: `${ofTeamMark} webhook`,
    secret: Buffer.from(mark),
    secret_hint: mark.slice(-4),
    events: ['issues.opened'],
  });
  const correlation_id = newId();
  const task = await makeTask(db, team, {
    id: TASK_ID + offset,
    title: `${ofTeamMark} task`,
    description: ofTeamMark,
    status: 'in_progress',
    assignee_id: agent.id,
    correlation_id,
    tags: [ofTeamMark],
  });
  if (repos_dir !== undefined) {
    initRepository(repository.local_path);
    commitTo(repository.local_path, task.branch, { README: ofTeamMark }, ofTeamMark);
  }
  await db.getRepository(MergeJob).insert({
    ...ofTeam,
    task_id: task.id,
    repo_id: repository.id,
    repo_path: repository.local_path,
    strategy: 'rebase',
    status: 'failed',
    head_commit: mark,
    error: ofTeamMark,
    requested_by: { type: 'user', id: owner.id },
    correlation_id,
    completed_at: new Date(),
  });
  await db.getRepository(PullRequest).insert({
    task_id: task.id,
    repo_id: repository.id,
    org_id: org.id,
    number: 1,
    url: `https://github.com/${ofTeamMark}`,
  });
  await makeTask(db, team, {
    id: SUBTASK_ID + offset,
    parent_id: task.id,
    title: `${ofTeamMark} sub-task`,
    correlation_id,
  });
  const message_id = MESSAGE_ID + offset;
  await db.getRepository(Message).save({
    id: message_id,
    ...ofTeam,
    sender_id: owner.id,
    sender_type: 'user',
    actor: { type: 'user', id: owner.id },
    recipient_id: agent.id,
    recipient_type: 'agent',
    task_id: task.id,
    content: `${ofTeamMark} message`,
  });
  await db.getRepository(TaskEvent).insert({
    org_id: org.id,
    task_id: task.id,
    type: 'task.created',
    data: { title: ofTeamMark },
    metadata: { actor: { type: 'user', id: owner.id }, correlation_id },
  } as object);
  const run = await db.getRepository(AgentRun).save({
    id: newId(),
    ...ofTeam,
    task_id: task.id,
    agent_id: agent.id,
    attempt: 1,
    status: 'running',
    runtime: 'pull',
    fencing_token: 1 + offset,
    lease_expires_at: new Date(Date.now() + 3_600_000),
    heartbeat_at: new Date(),
    prompt: ofTeamMark,
    correlation_id,
  });
  const review_id = REVIEW_ID + offset;
  const owner_actor = { type: 'user' as const, id: owner.id };
  await db.getRepository(Review).save({
    id: review_id,
    ...ofTeam,
    task_id: task.id,
    attempt: 1,
    reviewer_type: 'user',
    requested_by: owner_actor,
  });
  await db.getRepository(ReviewComment).save({
    ...ofTeam,
    review_id,
    author_id: owner.id,
    author_type: 'user',
    actor: owner_actor,
    content: ofTeamMark,
  });
  const human_request_id = HUMAN_REQUEST_ID + offset;
  await db.getRepository(HumanRequest).save({
    id: human_request_id,
    ...ofTeam,
    agent_id: agent.id,
    task_id: task.id,
    kind: 'question',
    question: ofTeamMark,
    asked_by: { type: 'agent', id: agent.id },
  });
  const session = await db.getRepository(AgentSession).save({
    id: SESSION_ID + offset,
    ...ofTeam,
    agent_id: agent.id,
    task_id: task.id,
    run_id: run.id,
    model: ofTeamMark,
    tokens_in: 1,
  });
  const delivery_id = newId();
  const created_at = idTime(delivery_id)!;
  await new DeliveryPartitions(db).ensure(created_at, 1);
  const body_sha256 = Buffer.alloc(32, 1);
  await db.getRepository(Delivery).insert({
    id: delivery_id,
    created_at,
    webhook_id: webhook.id,
    org_id: org.id,
    guid: `${mark}-guid`,
    event_type: 'issues.opened',
    status: 'processed',
    payload_summary: { title: ofTeamMark },
    actions: [ofTeamMark],
    task_id: task.id,
    body: zstdCompressSync(Buffer.from('{}')),
    body_size: 2,
    body_sha256,
    correlation_id,
  } as object);
  await db.getRepository(DeliveryKey).insert({
    webhook_id: webhook.id,
    guid: `${mark}-guid`,
    body_sha256,
    delivery_id,
    created_at,
  });
  const outbound = await db.getRepository(OutboundWebhook).save({
    id: newId(),
    ...ofTeam,
    url: `https://${mark}.example.com/`,
    description: `${ofTeamMark} outbound webhook`,
    events: ['webhook.delivery_failed'],
    secret: Buffer.from(mark),
    secret_hint: mark.slice(-4),
  });
  await db.getRepository(OutboundWebhookState).save({ webhook_id: outbound.id });
  const outboundDelivery = await db.getRepository(OutboundDelivery).save({
    id: newId(),
    ...ofTeam,
    webhook_id: outbound.id,
    task_id: task.id,
    event: 'task.created',
    body: JSON.stringify({ event: 'task.created', data: { note: ofTeamMark } }),
    correlation_id,
    status: 'succeeded',
    finished_at: new Date(),
  });
  const app_id = APP_ID + offset;
  const installation_id = INSTALLATION_ID + offset;
  await db.getRepository(GithubCredential).insert({
    org_id: org.id,
    kind: 'app',
    secret: Buffer.from(mark),
    app_id,
    installation_id,
    // Nothing is called there: the port is refused.
    base_url: 'http://127.0.0.1:9',
    login: `${mark}[bot]`,
    revision: newId(),
  });
  await db.getRepository(GithubWriteBack).insert({
    task_id: task.id,
    org_id: org.id,
    status: 'current',
    marker: newId(),
    comment_url: `https://github.com/${ofTeamMark}`,
  });
  return {
    owner,
    key: key.key,
    agentKey: agentKey.key,
    ids: {
      org_id: org.id,
      user_id: member.id,
      key_id: key.row.id,
      team_id: team.id,
      agent_id: agent.id,
      repo_id: repository.id,
      webhook_id: webhook.id,
      delivery_id,
      task_id: task.id,
      message_id,
      run_id: run.id,
      session_id: session.id,
      outbound_webhook_id: outbound.id,
      outbound_delivery_id: outboundDelivery.id,
      app_id,
      installation_id,
      review_id,
      human_request_id,
    } as Record<string, string | number>,
    email: member.email,
  };
}
