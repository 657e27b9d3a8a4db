import { type EntityManager } from 'typeorm';
import { type DomainError, validationFailed } from '../../errors/domain-error.js';
import { Agent } from '../agents/agent.entity.js';
import { type Identity } from '../auth/identity.js';
import { Membership } from '../organizations/membership.entity.js';
import { type Task } from '../tasks/task.entity.js';
import { type Messages, recordEvent } from '../tasks/tasks.facade.js';
import { authorsOf } from './authors-of.js';
import { requestText } from './feedback.js';
import { newestReview } from './newest-review.js';
import { Review, type ReviewerType } from './review.entity.js';
import { type RequestReviewDto } from './reviews.dto.js';

type Reviewer = { id: string; type: ReviewerType } | null;

/** Opens the next review of a task, which the caller has locked, and asks its reviewer. */
export async function requestReview(
  manager: EntityManager,
  identity: Identity,
  task: Task,
  dto: RequestReviewDto,
  messages: Messages,
): Promise<Review> {
  const reviewer = dto.reviewer_id
    ? await named(manager, task, { id: dto.reviewer_id.toLowerCase(), type: dto.reviewer_type ?? 'user' })
    : await anyReviewer(manager, task);
  const review = await openReview(manager, identity, task, { reviewer, commit: dto.commit });
  if (reviewer?.type === 'agent')
    await messages.tell(manager, {
      org_id: task.org_id,
      team_id: task.team_id,
      recipient_id: reviewer.id,
      task_id: task.id,
      content: requestText(review),
      actor: identity.actor,
    });
  return review;
}

/** As `requestReview`, but asks nobody: the reviewer, if there is one, knows. */
export async function openReview(
  manager: EntityManager,
  identity: Identity,
  task: Task,
  { reviewer, commit }: { reviewer: Reviewer; commit?: string },
): Promise<Review> {
  const { org_id, team_id, correlation_id } = task;
  const newest = await newestReview(manager, task.id);
  const review = await manager.save(
    manager.create(Review, {
      org_id,
      team_id,
      task_id: task.id,
      attempt: 1 + (newest?.attempt ?? 0),
      reviewer_id: reviewer?.id ?? null,
      reviewer_type: reviewer?.type ?? 'user',
      commit: commit ?? null,
      requested_by: identity.actor,
    }),
  );
  await recordEvent(manager, {
    org_id,
    task_id: task.id,
    type: 'review.requested',
    data: {
      review_id: review.id,
      attempt: review.attempt,
      reviewer_id: review.reviewer_id,
      reviewer_type: review.reviewer_type,
      commit: review.commit,
      ...((await wasAnnounced(manager, task)) ? { announced: true } : {}),
    },
    actor: identity.actor,
    correlation_id,
  });
  return review;
}

/** @throws DomainError `validation_failed` for who cannot review this task. */
async function named(manager: EntityManager, task: Task, reviewer: NonNullable<Reviewer>): Promise<Reviewer> {
  if (reviewer.type === 'user') {
    if (!(await manager.existsBy(Membership, { user_id: reviewer.id, org_id: task.org_id })))
      throw refused('reviewer_id must be a member of the organization');
  } else {
    if (!(await manager.existsBy(Agent, { id: reviewer.id, team_id: task.team_id })))
      throw refused('reviewer_id must be an agent of the team');
    if ((await authorsOf(manager, task.id)).includes(reviewer.id))
      throw refused('reviewer_id must not be whose work it is');
  }
  return reviewer;
}

async function anyReviewer(manager: EntityManager, task: Task): Promise<Reviewer> {
  const [row] = await manager.query<{ id: string }[]>(
    `SELECT id FROM agents WHERE team_id = $1 AND role = 'reviewer' AND status = 'idle' AND id <> ALL($2)
     ORDER BY created_at, id LIMIT 1`,
    [task.team_id, await authorsOf(manager, task.id)],
  );
  return row === undefined ? null : { id: row.id, type: 'agent' };
}

/** Outside systems were told of a request for review when the task came into review, and of none since. */
async function wasAnnounced(manager: EntityManager, task: Task): Promise<boolean> {
  if (task.status !== 'in_review') return false;
  const [last] = await manager.query<{ announced: boolean }[]>(
    `SELECT type = 'task.status_changed' AND NOT data ? 'review_attempt' AS announced FROM task_events
     WHERE task_id = $1 AND (type = 'review.requested' OR type = 'task.status_changed' AND data->>'to' = 'in_review')
     ORDER BY id DESC LIMIT 1`,
    [task.id],
  );
  return last?.announced ?? false;
}

const refused = (message: string): DomainError => validationFailed([{ field: 'reviewer_id', message }]);
