/** What other modules use of this one, besides its entities. */
export { recordEvent, recordEvents, type NewTaskEvent } from './record-event.js';
export { TaskIntake } from './task-intake.js';
export { TRANSITIONS, canTransition, isFinished } from './task-states.js';
export {
  inTransaction,
  lockTask,
  TaskTransitions,
  type TaskTransition,
  type TransitionListener,
  type TransitionRequest,
} from './task-transitions.js';
