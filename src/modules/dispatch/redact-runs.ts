import { type EntityManager } from 'typeorm';
import { REDACTED } from '../tasks/tasks.facade.js';

/** Takes what an issue said, and what agents made of it, out of the runs; that they were, and how they ended, stays. */
export async function redactRuns(manager: EntityManager, task_ids: number[]): Promise<void> {
  await manager.query(
    `UPDATE agent_runs SET
       prompt = CASE WHEN prompt IS NOT NULL THEN $2 END, output = CASE WHEN output IS NOT NULL THEN $2 END,
       summary = CASE WHEN summary IS NOT NULL THEN $2 END, error = CASE WHEN error IS NOT NULL THEN $2 END
     WHERE task_id = ANY($1)`,
    [task_ids, REDACTED],
  );
}
