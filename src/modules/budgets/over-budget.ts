/*
 * The limits and what counts against them, as SQL for an agent `a` and its team. A limit that is reached is over.
 *
 * `cost_limit` is given columns, never subqueries: only then does PostgreSQL put its body in the call's place, which is
 * ten times as fast. So whoever compares limits joins the team's settings.
 */
export const TODAY = `(now() AT TIME ZONE 'utc')::date`;

/** The settings `s` of the agent's team and the agent's costs `c` of today, which the rest below is written for. */
export const WITH_BUDGET = `LEFT JOIN team_settings s ON s.team_id = a.team_id
  LEFT JOIN daily_costs c ON c.agent_id = a.id AND c.day = ${TODAY}`;

export const DAILY_SPENT = `coalesce(c.cost_usd, 0)`;
export const DAILY_LIMIT = `cost_limit(a.config, s."values", 'daily_cost_limit_usd', 50)`;

export const taskSpent = (task_id: string): string =>
  `coalesce((SELECT sum(u.cost_usd) FROM agent_sessions u WHERE u.task_id = ${task_id}), 0)`;
export const TASK_LIMIT = `cost_limit(a.config, s."values", 'task_cost_limit_usd', 20)`;

export const teamSpent = (team_id: string): string =>
  `coalesce((SELECT sum(d.cost_usd) FROM daily_costs d WHERE d.team_id = ${team_id} AND d.day = ${TODAY}), 0)`;
export const TEAM_LIMIT = `cost_limit('{}', s."values", 'daily_team_cost_limit_usd', NULL)`;

/** Whether the agent must not be started. The team's sum is made only for a team that has set a limit for it. */
export const overBudget = (team_id = 'a.team_id'): string => `(${DAILY_SPENT} >= ${DAILY_LIMIT}
  OR CASE WHEN ${TEAM_LIMIT} IS NOT NULL THEN ${teamSpent(team_id)} >= ${TEAM_LIMIT} ELSE false END)`;

const ofAgent = (condition: string): string =>
  `(SELECT ${condition} FROM (VALUES (true)) one ${WITH_BUDGET})`;

/** The same for an agent `a` without the joins. */
export const AGENT_OVER_BUDGET = ofAgent(overBudget());

/** Whether agent `a` must not be started on the task, as far as the task's own costs go. */
export const taskOverBudget = (task_id: string): string => ofAgent(`${taskSpent(task_id)} >= ${TASK_LIMIT}`);
