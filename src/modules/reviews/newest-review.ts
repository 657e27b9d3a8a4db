import { type EntityManager } from 'typeorm';
import { Review } from './review.entity.js';

/** The review of a task that stands. */
export const newestReview = (manager: EntityManager, task_id: number): Promise<Review | null> =>
  manager.findOne(Review, { where: { task_id }, order: { attempt: 'DESC' } });
