import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { DomainError } from '../../errors/domain-error.js';
import { type TransitionAttempt } from '../tasks/tasks.facade.js';
import { type TeamSettings } from '../settings/settings.facade.js';
import { type Review } from './review.entity.js';
import { type ReviewStanding } from './review-standing.js';

const NEWEST: PreparedStatement = {
  name: 'newest-review',
  text: 'SELECT attempt, verdict FROM reviews WHERE task_id = $1 ORDER BY attempt DESC LIMIT 1',
};

/**
 * Lets no task of a team that requires review go on towards its merge without an approval that counts, whoever moves
 * it. A merge that has begun may end: it began under an approval, and makes commits of its own.
 *
 * Of a task with an open review, the change's event says so: the review's own events tell outside systems of it.
 */
export async function guardTransitions(
  manager: EntityManager,
  { task, from, to }: TransitionAttempt,
  { standings, settings }: { standings: ReviewStanding; settings: TeamSettings },
): Promise<Record<string, unknown>> {
  if (to === 'in_approval' || to === 'merging') {
    const { require_review } = await settings.of(manager, task.team_id);
    if (require_review) await assertApproved(manager, task.id, standings);
  }
  if (from !== 'in_review' && to !== 'in_review') return {};
  const [newest] = await preparedBy<Pick<Review, 'attempt' | 'verdict'>>(manager, NEWEST, [task.id]);
  return newest === undefined || newest.verdict !== null ? {} : { review_attempt: newest.attempt };
}

async function assertApproved(
  manager: EntityManager,
  task_id: number,
  standings: ReviewStanding,
): Promise<void> {
  const standing = await standings.of(manager, task_id, await standings.commitOf(manager, task_id));
  if (standing.counts) return;
  const why =
    standing.verdict !== 'approve'
      ? 'its newest review is not approved'
      : standing.stale
        ? 'its approval is of earlier work'
        : "an agent's approval does not replace a person's";
  throw new DomainError('review_required', `The team requires review: ${why}`);
}
