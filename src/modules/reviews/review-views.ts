import { type EntityManager, In } from 'typeorm';
import { ReviewComment } from './review-comment.entity.js';
import { type Review } from './review.entity.js';
import { type ReviewCommentDto, type ReviewDto } from './reviews.dto.js';

/** The answers for reviews, in their order, with their comments, oldest first. */
export async function reviewDtos(manager: EntityManager, reviews: Review[]): Promise<ReviewDto[]> {
  const comments = await manager.find(ReviewComment, {
    where: { review_id: In(reviews.map(({ id }) => id)) },
    order: { id: 'ASC' },
  });
  const of = Map.groupBy(comments, ({ review_id }) => review_id);
  return reviews.map((review) => toReviewDto(review, of.get(review.id) ?? []));
}

const toReviewDto = (review: Review, comments: ReviewComment[]): ReviewDto => ({
  id: review.id,
  task_id: review.task_id,
  attempt: review.attempt,
  reviewer_id: review.reviewer_id,
  reviewer_type: review.reviewer_type,
  commit: review.commit,
  verdict: review.verdict,
  summary: review.summary,
  created_at: review.created_at,
  resolved_at: review.resolved_at,
  comments: comments.map(toCommentDto),
});

export const toCommentDto = (comment: ReviewComment): ReviewCommentDto => ({
  id: comment.id,
  review_id: comment.review_id,
  author_id: comment.author_id,
  author_type: comment.author_type,
  file_path: comment.file_path,
  line_number: comment.line_number,
  content: comment.content,
  created_at: comment.created_at,
});
