import { type ReviewComment } from './review-comment.entity.js';
import { type Review } from './review.entity.js';

/** What the assignee is told when changes are wanted. */
export const feedbackText = (
  { id, attempt, summary }: Pick<Review, 'id' | 'attempt' | 'summary'>,
  comments: Pick<ReviewComment, 'file_path' | 'line_number' | 'content'>[],
): string =>
  [
    `## Review Feedback`,
    `Changes are wanted (review ${id}, attempt ${attempt}).`,
    ...(summary ? [summary] : []),
    ...(comments.length === 0 ? [] : [comments.map((comment) => `- ${commentLine(comment)}`).join('\n')]),
  ].join('\n\n');

/** `file:line: text`, as far as there is a file and a line. */
const commentLine = ({
  file_path,
  line_number,
  content,
}: Pick<ReviewComment, 'file_path' | 'line_number' | 'content'>): string =>
  file_path === null
    ? content
    : line_number === null
      ? `${file_path}: ${content}`
      : `${file_path}:${line_number}: ${content}`;

/** What an agent is told that is asked for a verdict. No text of the task: what GitHub said is redacted there alone. */
export const requestText = ({ id, task_id, attempt, commit }: Review): string =>
  [
    '## Code Review Request',
    `Please review task ${task_id} (review ${id}, attempt ${attempt}${commit === null ? '' : `, commit ${commit}`}).`,
    `Read the task with GET /api/v1/tasks/${task_id}. Comment with POST /api/v1/reviews/${id}/comments, and decide with ` +
      `POST /api/v1/reviews/${id}/verdict: approve, request_changes or reject.`,
  ].join('\n\n');
