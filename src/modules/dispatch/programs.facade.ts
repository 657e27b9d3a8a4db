/** How a program of the operator's list is run, for other modules. */
export { GuardedProgram } from './runtimes/guarded-program.js';
