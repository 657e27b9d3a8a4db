/** What other modules use of this one, besides its entities. */
export { TaskCreation } from './changes/task-creation.js';
export { TaskContexts } from './context/task-contexts.service.js';
export { Messages } from './messages/messages.service.js';
export { recordEvent, recordEvents, toJson, type NewTaskEvent } from './record-event.js';
export { Decomposition } from './subtasks/decomposition.service.js';
export { Subtasks } from './subtasks/subtasks.service.js';
export { TaskEvents } from './task-events.service.js';
export { REDACTED } from './intake/apply-moved.js';
export { IS_DELETED_AT_SOURCE } from './intake/locked-sources.js';
export { TaskIntake } from './task-intake.js';
export { BLOCKED_BY, HAS_OPEN_SUBTASKS, hasOpenSubtasks, IS_BLOCKED, MAY_START } from './readiness.js';
export { lockTaskToMove, lockToMove, shareLinks } from './task-locks.js';
export { canTransition, isAwaitingAcceptance, isFinished, TRANSITIONS } from './task-states.js';
export {
  inTransaction,
  lockTask,
  runnerOf,
  TaskTransitions,
  type TaskTransition,
  type TransitionAttempt,
  type TransitionGuard,
  type TransitionListener,
  type TransitionRequest,
} from './task-transitions.js';
export { Tasks } from './tasks.service.js';
