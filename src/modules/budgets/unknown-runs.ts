/**
 * How many runs, and sessions outside of runs, began since then without anybody saying what they used. They count as
 * unknown, never as nothing. Both tables have the column that `where` asks for.
 */
export const unknownRuns = (where: string, since: string): string => `(
  (SELECT count(*) FROM agent_runs r WHERE r.${where} AND r.started_at >= ${since}
     AND NOT EXISTS (SELECT FROM agent_sessions u WHERE u.run_id = r.id AND u.usage_reported_at IS NOT NULL))
  + (SELECT count(*) FROM agent_sessions u WHERE u.${where} AND u.started_at >= ${since}
     AND u.run_id IS NULL AND u.usage_reported_at IS NULL))::int`;
