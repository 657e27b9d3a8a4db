import { type EntityManager } from 'typeorm';

/** The agents whose work a review judges: the task's assignee, and who ran its last successful run. */
export async function authorsOf(manager: EntityManager, task_id: number): Promise<string[]> {
  const rows = await manager.query<{ id: string }[]>(
    `SELECT assignee_id AS id FROM tasks WHERE id = $1 AND assignee_id IS NOT NULL
     UNION (SELECT agent_id FROM agent_runs WHERE task_id = $1 AND status = 'succeeded'
            ORDER BY attempt DESC LIMIT 1)`,
    [task_id],
  );
  return rows.map(({ id }) => id);
}
