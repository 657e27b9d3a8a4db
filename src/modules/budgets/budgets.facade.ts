/** What other modules use of this one. */
export { Budgets } from './budgets.service.js';
export { endSessionsOfRun } from './end-sessions.js';
export {
  AGENT_OVER_BUDGET,
  overBudget,
  TASK_LIMIT,
  taskOverBudget,
  taskSpent,
  WITH_BUDGET,
} from './over-budget.js';
export { recordRunUsage, type ReportingRun, type RunUsage } from './record-usage.js';
export { AgentSessions } from './sessions.service.js';
