import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { Reviews } from '../reviews/reviews.facade.js';
import { TaskTips } from './task-tips.js';

export interface Approval {
  verdict: string | null;
  attempt: number;
  /** Null when the task may be merged. */
  refusal: string | null;
}

/** Whether the task, as its branch is now, was approved. */
@Injectable()
export class Approvals {
  constructor(
    private readonly reviews: Reviews,
    private readonly tips: TaskTips,
  ) {
    reviews.commitsComeFrom((manager, task_id) => tips.newest(manager, task_id));
  }

  /** @param commit the newest of the task's branch, found outside of the transaction: git takes longer than a row. */
  async of(manager: EntityManager, task_id: number, commit: string | null): Promise<Approval> {
    const { verdict, attempt, stale, counts } = await this.reviews.standing(manager, task_id, commit);
    return { verdict, attempt, refusal: counts ? null : why(verdict, stale) };
  }
}

function why(verdict: string | null, stale: boolean): string {
  if (verdict !== 'approve') return 'The newest review of the task is not approved';
  return stale
    ? 'The approval is of earlier work: the branch has gone on since'
    : "An agent's approval does not replace a person's";
}
