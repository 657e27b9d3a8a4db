import { type EntityManager } from 'typeorm';
import { markTeamsChanged } from '../../database/notify-on-commit.js';

const IS_SILENT = `ended_at IS NULL AND run_id IS NULL AND last_seen_at < now() - make_interval(secs => $1)`;

/** Sessions outside of runs that have been silent for longer: whoever started them is gone. */
export const silentSessions = (manager: EntityManager, seconds: number): Promise<{ id: number }[]> =>
  manager.query(`SELECT id FROM agent_sessions WHERE ${IS_SILENT} ORDER BY id LIMIT 100`, [seconds]);

/** Ends one session, in the manager's transaction; ended twice, it stays as it first ended. */
export async function endSession(manager: EntityManager, id: number, error: string | null): Promise<void> {
  const [rows] = await manager.query<[{ agent_id: string; run_id: string | null }[], number]>(
    `UPDATE agent_sessions SET ended_at = now(), last_seen_at = now(), error = $2
     WHERE id = $1 AND ended_at IS NULL RETURNING agent_id, run_id`,
    [id, error],
  );
  // An agent in a run is idle when its run ends.
  if (rows[0]?.run_id === null) await freeAgent(manager, rows[0].agent_id);
}

/** SQL for when a run ends. After the agent's row was locked, so that no session is started in between. */
export const endSessionsOfRun = (run_id: string, error: string): string =>
  `UPDATE agent_sessions SET ended_at = now(), error = ${error} WHERE run_id = ${run_id} AND ended_at IS NULL`;

/** The lock comes first: of two sessions that end at once, the second must see that the first has ended. */
async function freeAgent(manager: EntityManager, agent_id: string): Promise<void> {
  await manager.query('SELECT id FROM agents WHERE id = $1 FOR NO KEY UPDATE', [agent_id]);
  const [rows] = await manager.query<[{ team_id: string }[], number]>(
    `UPDATE agents a SET status = 'idle'
     WHERE a.id = $1 AND a.status = 'working'
       AND NOT EXISTS (SELECT FROM agent_runs r WHERE r.agent_id = a.id AND r.finished_at IS NULL)
       AND NOT EXISTS (SELECT FROM agent_sessions s WHERE s.agent_id = a.id AND s.ended_at IS NULL AND s.run_id IS NULL)
     RETURNING a.team_id`,
    [agent_id],
  );
  if (rows[0] && manager.queryRunner) markTeamsChanged(manager.queryRunner, [rows[0].team_id]);
}
