import { type EntityManager } from 'typeorm';

/** What a team asks of reviews. */
export interface ReviewPolicy {
  /** No task goes on towards its merge without an approval that counts. */
  require_review: boolean;
  /** An agent's approval counts like a person's. */
  agent_approval_counts: boolean;
}

export function reviewPolicy(_manager: EntityManager, _team_id: string): Promise<ReviewPolicy> {
  return Promise.resolve({ require_review: false, agent_approval_counts: false });
}
