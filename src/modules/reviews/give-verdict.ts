import { type EntityManager } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { type Identity, systemActor } from '../auth/identity.js';
import { type Task } from '../tasks/task.entity.js';
import { isFinished, type Messages, recordEvent, type TaskTransitions } from '../tasks/tasks.facade.js';
import { authorsOf } from './authors-of.js';
import { feedbackText } from './feedback.js';
import { ReviewComment } from './review-comment.entity.js';
import { type Review } from './review.entity.js';
import { type ReviewStanding } from './review-standing.js';
import { type GiveVerdictDto } from './reviews.dto.js';
import { speakerOf } from './speaker.js';

export interface VerdictParts {
  transitions: TaskTransitions;
  messages: Messages;
  standings: ReviewStanding;
}

/**
 * Gives an open review its verdict and does what follows from it; the caller has locked the task, so that one verdict
 * of many wins.
 * @param commit the newest of the task's branch, where it is known.
 * @throws DomainError `review_decided`, `reviewer_is_author`
 */
export async function giveVerdict(
  manager: EntityManager,
  identity: Identity,
  { task, review, commit }: { task: Task; review: Review; commit: string | null },
  dto: GiveVerdictDto,
  parts: VerdictParts,
): Promise<Review> {
  if (review.verdict !== null)
    throw new DomainError('review_decided', `The review already has a verdict: ${review.verdict}`);
  const speaker = speakerOf(identity, 'reviewer', { id: dto.reviewer_id, type: dto.reviewer_type });
  const authors = await authorsOf(manager, task.id);
  if (speaker.agent_ids.some((id) => authors.includes(id)))
    throw new DomainError('reviewer_is_author', 'Nobody reviews their own work');
  const { verdict } = dto;
  await manager.save(
    Object.assign(review, {
      verdict,
      summary: dto.summary ?? null,
      commit: dto.commit ?? commit ?? review.commit,
      reviewer_id: speaker.id,
      reviewer_type: speaker.type,
      claimed: speaker.claimed,
      decided_by: identity.actor,
      resolved_at: await databaseTime(manager),
    }),
  );
  await recordEvent(manager, {
    org_id: task.org_id,
    task_id: task.id,
    type: 'review.verdict',
    data: {
      review_id: review.id,
      verdict,
      attempt: review.attempt,
      commit: review.commit,
      by: { type: speaker.type, id: speaker.id },
    },
    actor: identity.actor,
    correlation_id: task.correlation_id,
    ...(speaker.claimed === null ? {} : { claimed: speaker.claimed }),
  });
  if (verdict === 'approve') await acceptTask(manager, identity, task, review, commit, parts);
  if (verdict === 'request_changes') await sendFeedback(manager, identity, task, review, parts);
  return review;
}

/** Compared with the times of runs, which are the database's. */
async function databaseTime(manager: EntityManager): Promise<Date> {
  const [row] = await manager.query<{ now: Date }[]>('SELECT clock_timestamp() AS now');
  if (row === undefined) throw new Error('the database has no time');
  return row.now;
}

/** An agent whose approval counts does not take the step itself: review does. */
async function acceptTask(
  manager: EntityManager,
  identity: Identity,
  task: Task,
  review: Review,
  commit: string | null,
  { transitions, standings }: VerdictParts,
): Promise<void> {
  if (task.status !== 'in_review') return;
  if (!(await standings.of(manager, task.id, commit)).counts) return;
  await transitions.transition(manager, {
    task_id: task.id,
    to: 'in_approval',
    actor: identity.agent_id === undefined ? identity.actor : systemActor('reviews'),
    reason: 'approved',
    data: { review_attempt: review.attempt },
  });
}

/** The message is written first: the task's next run may begin as soon as this is committed. */
async function sendFeedback(
  manager: EntityManager,
  identity: Identity,
  task: Task,
  review: Review,
  { transitions, messages }: VerdictParts,
): Promise<void> {
  const { org_id, team_id, assignee_id, correlation_id } = task;
  if (isFinished(task.status)) return;
  if (assignee_id !== null) {
    const comments = await manager.find(ReviewComment, {
      where: { review_id: review.id },
      order: { id: 'ASC' },
    });
    await messages.tell(manager, {
      org_id,
      team_id,
      recipient_id: assignee_id,
      task_id: task.id,
      content: feedbackText(review, comments),
      actor: identity.actor,
    });
    await recordEvent(manager, {
      org_id,
      task_id: task.id,
      type: 'review.feedback_sent',
      data: { review_id: review.id, attempt: review.attempt, assignee_id, comments: comments.length },
      actor: identity.actor,
      correlation_id,
    });
  }
  if (task.status === 'merging') return;
  await transitions.sendBack(manager, {
    task_id: task.id,
    actor: identity.actor,
    reason: 'changes_requested',
    data: { review_attempt: review.attempt },
  });
}
