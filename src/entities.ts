import { Agent } from './modules/agents/agent.entity.js';
import { ApiKey } from './modules/auth/api-key.entity.js';
import { RefreshToken } from './modules/auth/refresh-token.entity.js';
import { User } from './modules/auth/user.entity.js';
import { Delivery } from './modules/deliveries/delivery.entity.js';
import { DeliveryKey } from './modules/deliveries/delivery-key.entity.js';
import { AgentSession } from './modules/budgets/agent-session.entity.js';
import { DailyCost } from './modules/budgets/daily-cost.entity.js';
import { AgentRun } from './modules/dispatch/agent-run.entity.js';
import { HumanRequest } from './modules/human-requests/human-request.entity.js';
import { GithubCredential } from './modules/github/credentials/github-credential.entity.js';
import { GithubWriteBack } from './modules/github/write-back/github-write-back.entity.js';
import { Membership } from './modules/organizations/membership.entity.js';
import { PullRequest } from './modules/pull-requests/pull-request.entity.js';
import { MergeJob } from './modules/merges/merge-job.entity.js';
import { OutboundAttempt } from './modules/notifications/outbound-attempt.entity.js';
import { OutboundDelivery } from './modules/notifications/outbound-delivery.entity.js';
import { OutboundWebhook } from './modules/notifications/outbound-webhook.entity.js';
import { OutboundWebhookState } from './modules/notifications/outbound-webhook-state.entity.js';
import { Organization } from './modules/organizations/organization.entity.js';
import { CodeRepository } from './modules/repositories/repository.entity.js';
import { TeamConvention } from './modules/settings/team-convention.entity.js';
import { StoredTeamSettings } from './modules/settings/team-settings.entity.js';
import { Review } from './modules/reviews/review.entity.js';
import { ReviewComment } from './modules/reviews/review-comment.entity.js';
import { Message } from './modules/tasks/message.entity.js';
import { Task } from './modules/tasks/task.entity.js';
import { TaskContext } from './modules/tasks/task-context.entity.js';
import { TaskDependency } from './modules/tasks/task-dependency.entity.js';
import { TaskEvent } from './modules/tasks/task-event.entity.js';
import { TaskSource } from './modules/tasks/task-source.entity.js';
import { TaskDecomposition } from './modules/tasks/subtasks/task-decomposition.entity.js';
import { Team } from './modules/teams/team.entity.js';
import { Webhook } from './modules/webhooks/webhook.entity.js';

/** Every table the service maps. */
export const ENTITIES = [
  User,
  RefreshToken,
  Organization,
  Membership,
  Team,
  Agent,
  ApiKey,
  CodeRepository,
  StoredTeamSettings,
  TeamConvention,
  Webhook,
  Delivery,
  DeliveryKey,
  Task,
  TaskDependency,
  TaskEvent,
  TaskContext,
  TaskSource,
  TaskDecomposition,
  Message,
  AgentRun,
  AgentSession,
  DailyCost,
  OutboundWebhook,
  OutboundWebhookState,
  OutboundDelivery,
  OutboundAttempt,
  GithubCredential,
  GithubWriteBack,
  Review,
  ReviewComment,
  HumanRequest,
  MergeJob,
  PullRequest,
];
