import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';

/** What there is to do for a dispatcher. */
export interface Work {
  /** Those that have a waiting task and an idle agent whose runtime a dispatcher starts. */
  teams: string[];
  /** Whether there are runs that nobody supervises yet. */
  orphans: boolean;
  /** Until the nearest backoff is over. */
  backoff_ms: number | null;
}

/**
 * In one statement that changes nothing: most notifications concern teams whose agents are busy or pull their work
 * themselves. Not EXISTS: as a join it would read every waiting task for teams that have no idle agent. A backoff is
 * looked for without regard to the task's status: while few tasks wait the planner takes all their indexes for equal,
 * and reads whole the one that happens to be its choice. That of a task on hold costs one look for nothing.
 */
const look = (teams: string): string => `
  SELECT
    ARRAY(
      SELECT team.id FROM teams team
      WHERE ${teams}
        AND (SELECT true FROM agents a
          WHERE a.team_id = team.id AND a.status = 'idle' AND a.runtime IN ('command', 'http') LIMIT 1)
        AND (SELECT true FROM tasks t WHERE t.team_id = team.id AND t.status = 'todo' AND t.hold_reason IS NULL
          ORDER BY t.priority, t.id LIMIT 1)
    ) AS teams,
    EXISTS (SELECT FROM agent_runs WHERE status = 'starting' AND dispatcher IS NULL
      AND runtime IN ('command', 'http')) AS orphans,
    (SELECT extract(epoch FROM dispatch_after - now())::float8 * 1000 FROM tasks
     WHERE dispatch_after > now() ORDER BY dispatch_after LIMIT 1) AS backoff_ms`;

const LOOK_AT_ALL: PreparedStatement = { name: 'dispatcher-look-at-all', text: look('true') };
/** How many teams there are is hidden from the planner, which would plan anew each time for as many as there are. */
const LOOK_AT_SOME: PreparedStatement = {
  name: 'dispatcher-look-at-some',
  text: look('team.id = ANY (ARRAY(SELECT unnest($1::uuid[])))'),
};

/** @param teams the only ones to look at; null for all of them. */
export async function lookForWork(manager: EntityManager, teams: string[] | null): Promise<Work> {
  const [work] =
    teams === null
      ? await preparedBy<Work>(manager, LOOK_AT_ALL, [])
      : await preparedBy<Work>(manager, LOOK_AT_SOME, [teams]);
  if (work === undefined) throw new Error('the look answers one row');
  return work;
}
