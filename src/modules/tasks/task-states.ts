import { type TaskStatus } from './task.entity.js';

/** Where a task may go from each state; docs/task-states.md draws it. what `reopened` sources and sub-tasks do is not in the table. */
export const TRANSITIONS: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  todo: ['in_progress', 'cancelled'],
  in_progress: ['in_review', 'todo', 'cancelled'],
  in_review: ['in_approval', 'in_progress', 'cancelled'],
  in_approval: ['merging', 'in_progress', 'cancelled'],
  merging: ['done', 'in_progress'],
  done: ['archived'],
  cancelled: ['archived'],
  archived: [],
};

export const canTransition = (from: TaskStatus, to: TaskStatus): boolean => TRANSITIONS[from].includes(to);

/** Holds that say how the last attempt ended: whatever asks for a new one takes them away. */
export const endsWithNewAttempt = (hold_reason: string | null): boolean =>
  hold_reason === 'attempts_exhausted' || hold_reason === 'run_cancelled' || hold_reason === 'subtasks_gone';

/** Nothing more happens to it by itself. */
export const isFinished = (status: TaskStatus): boolean =>
  status === 'done' || status === 'cancelled' || status === 'archived';

/** Not begun, or being worked on: it may be divided into sub-tasks, and be closed by them. */
export const isWorkInHand = (status: TaskStatus): boolean => status === 'todo' || status === 'in_progress';

/** Where a task may not go while sub-tasks of it are open. */
export const waitsForSubtasks = (to: TaskStatus): boolean =>
  to === 'in_review' || to === 'in_approval' || to === 'merging' || to === 'done';

/** Its work is done, and not accepted yet. */
export const isAwaitingAcceptance = (status: TaskStatus): boolean =>
  status === 'in_review' || status === 'in_approval' || status === 'merging';

/** Steps that review and merge take for agents: a person may take them by hand, an agent's key may not. */
export const needsPerson = (from: TaskStatus, to: TaskStatus): boolean =>
  (from === 'in_review' && to === 'in_approval') ||
  (from === 'in_approval' && to === 'merging') ||
  (from === 'merging' && to === 'done');
