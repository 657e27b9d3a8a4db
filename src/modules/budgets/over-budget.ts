/** The limits and what counts against them, as SQL for an agent `a` and its team. A limit that is reached is over. */
export const TODAY = `(now() AT TIME ZONE 'utc')::date`;

const OF_TEAM = `(SELECT s."values" FROM team_settings s WHERE s.team_id = a.team_id)`;

export const DAILY_SPENT = `coalesce(
  (SELECT c.cost_usd FROM daily_costs c WHERE c.agent_id = a.id AND c.day = ${TODAY}), 0)`;
export const DAILY_LIMIT = `cost_limit(a.config, ${OF_TEAM}, 'daily_cost_limit_usd', 50)`;

export const taskSpent = (task_id: string): string =>
  `coalesce((SELECT sum(u.cost_usd) FROM agent_sessions u WHERE u.task_id = ${task_id}), 0)`;
export const TASK_LIMIT = `cost_limit(a.config, ${OF_TEAM}, 'task_cost_limit_usd', 20)`;

export const TEAM_SPENT = `coalesce(
  (SELECT sum(c.cost_usd) FROM daily_costs c WHERE c.team_id = a.team_id AND c.day = ${TODAY}), 0)`;
export const TEAM_LIMIT = `cost_limit('{}', ${OF_TEAM}, 'daily_team_cost_limit_usd', NULL)`;

/** Whether the agent must not be started. The team's sum is made only for a team that has set a limit for it. */
export const AGENT_OVER_BUDGET = `(${DAILY_SPENT} >= ${DAILY_LIMIT}
  OR CASE WHEN ${TEAM_LIMIT} IS NOT NULL THEN ${TEAM_SPENT} >= ${TEAM_LIMIT} ELSE false END)`;

/** Whether agent `a` must not be started on the task, as far as the task's own costs go. */
export const taskOverBudget = (task_id: string): string => `(${taskSpent(task_id)} >= ${TASK_LIMIT})`;
