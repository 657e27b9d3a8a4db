import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { TeamSettings } from '../settings/settings.facade.js';
import { newestReview } from './newest-review.js';
import { type Review, type Verdict } from './review.entity.js';

/** What the newest review of a task is worth. */
export interface Standing {
  /** 0 when there is no review. */
  attempt: number;
  /** Null as long as the newest review is open. */
  verdict: Verdict | null;
  commit: string | null;
  /** The work has changed since the verdict: by another commit, or by a later run that succeeded. */
  stale: boolean;
  /** It is an approval that satisfies the team's policy. */
  counts: boolean;
}

/** Finds the newest commit of a task's branch; null where no repository knows it. */
export type CommitLookup = (manager: EntityManager, task_id: number) => Promise<string | null>;

/** Judges reviews by the team's policy. */
@Injectable()
export class ReviewStanding {
  private lookup: CommitLookup = () => Promise.resolve(null);

  constructor(private readonly settings: TeamSettings) {}

  /** From now on the newest commit of a branch is known: verdicts are bound to it, and transitions ask for it. */
  commitsComeFrom(lookup: CommitLookup): void {
    this.lookup = lookup;
  }

  commitOf(manager: EntityManager, task_id: number): Promise<string | null> {
    return this.lookup(manager, task_id);
  }

  /** @param commit the newest of the task's branch; null where it is not known: then it is not compared. */
  async of(manager: EntityManager, task_id: number, commit: string | null): Promise<Standing> {
    const review = await newestReview(manager, task_id);
    if (review === null) return { attempt: 0, verdict: null, commit: null, stale: false, counts: false };
    const { attempt, verdict, reviewer_type, team_id } = review;
    const stale =
      verdict !== null &&
      ((commit !== null && !isSameCommit(review.commit, commit)) || (await wasWorkedOn(manager, review)));
    const counts =
      verdict === 'approve' &&
      !stale &&
      (reviewer_type === 'user' || (await this.settings.of(manager, team_id)).agent_approval_counts === true);
    return { attempt, verdict, commit: review.commit, stale, counts };
  }
}

/** Either may be abbreviated. What saw no commit, although there is one, saw another one. */
function isSameCommit(reviewed: string | null, current: string): boolean {
  if (reviewed === null) return false;
  const now = current.toLowerCase();
  return now.startsWith(reviewed) || reviewed.startsWith(now);
}

async function wasWorkedOn(manager: EntityManager, { task_id, resolved_at }: Review): Promise<boolean> {
  const [row] = await manager.query<{ since: boolean }[]>(
    `SELECT EXISTS (SELECT FROM agent_runs WHERE task_id = $1 AND status = 'succeeded' AND started_at > $2) AS since`,
    [task_id, resolved_at],
  );
  return row?.since ?? false;
}
