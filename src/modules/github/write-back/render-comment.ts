import { type TaskStatus } from '../../tasks/task.entity.js';
import { foldTaskIds } from './fold-task-ids.js';

/** What a comment tells of: comments are public, so no error, output or other internal is part of it. */
export interface CommentSubject {
  task_ids: number[];
  status: TaskStatus;
  hold_reason: string | null;
  is_completed: boolean;
  agent_name: string | null;
}

/**
 * What the comment says, before its marker; null when there is nothing that is worth a new comment or that
 * `hasComment`, one that is there, must be changed to.
 */
export function renderComment(
  subject: CommentSubject,
  public_url: string | undefined,
  hasComment: boolean,
): string | null {
  const tasks = taskNames(subject.task_ids, public_url);
  const { status, hold_reason } = subject;
  if (subject.is_completed) return `Resolved in ${tasks}`;
  if (status === 'in_progress') return `${workerName(subject.agent_name)} is working on this (${tasks})`;
  const reason = status === 'todo' ? HELD[hold_reason ?? ''] : AFTER_WORK[status];
  if (reason !== undefined) return `${reason} (${tasks})`;
  if (!hasComment) return null;
  return status === 'todo'
    ? `This waits for an agent again (${tasks})`
    : `The work on this was cancelled (${tasks})`;
}

const HELD: Partial<Record<string, string>> = {
  awaiting_release: 'A person needs to release this before an agent works on it',
  attempts_exhausted:
    'The work on this failed and is not tried again by itself: a person needs to look at it',
  run_cancelled: 'The work on this was stopped: a person decides how it goes on',
};

const AFTER_WORK: Partial<Record<TaskStatus, string>> = {
  in_review: 'The work on this waits for review',
  in_approval: 'The work on this was reviewed and waits for approval',
  merging: 'The work on this was approved and is being merged',
};

/** `task #601`, `tasks #601-#603`; with a public URL each number is a link. */
function taskNames(ids: number[], public_url: string | undefined): string {
  const base = public_url?.replace(/\/+$/, '');
  const link =
    base === undefined ? undefined : (id: number): string => `[#${id}](${base}/api/v1/tasks/${id})`;
  return `${new Set(ids).size === 1 ? 'task' : 'tasks'} ${foldTaskIds(ids, link)}`;
}

/** As code: a name must neither mention anybody nor be Markdown. */
function workerName(name: string | null): string {
  const plain = name?.replaceAll(/[`\s]+/g, ' ').trim() ?? '';
  return plain === '' ? 'An agent' : `\`${plain}\``;
}

export const hiddenMarker = (marker: string): string => `<!-- entourage:${marker} -->`;

/** The comment as GitHub is sent it. */
export const commentBody = (text: string, marker: string): string => `${text}\n\n${hiddenMarker(marker)}`;
