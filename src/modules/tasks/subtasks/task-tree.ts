import { type EntityManager } from 'typeorm';

const ABOVE = `
  WITH RECURSIVE above (id, parent_id, level) AS (
    SELECT id, parent_id, 0 FROM tasks WHERE id = $1
    UNION ALL
    SELECT p.id, p.parent_id, a.level + 1 FROM above a JOIN tasks p ON p.id = a.parent_id
  )
  SELECT id FROM above ORDER BY level`;

/** `tree (id, level)`: the task `$1` and all below it, with how far below. */
export const TREE = `
  WITH RECURSIVE tree (id, level) AS (
    SELECT id, 0 FROM tasks WHERE id = $1
    UNION ALL
    SELECT c.id, t.level + 1 FROM tree t JOIN tasks c ON c.parent_id = t.id
  )`;

/** What must be done before `$1` tasks are: dependencies, and sub-tasks, all the way. */
const WAITED_FOR = `
  WITH RECURSIVE reached (id, start) AS (
    SELECT id, id FROM unnest($1::bigint[]) given (id)
    UNION
    SELECT next.id, r.start FROM reached r CROSS JOIN LATERAL (
      SELECT depends_on_id AS id FROM task_dependencies WHERE task_id = r.id
      UNION ALL SELECT id FROM tasks WHERE parent_id = r.id
    ) next
  )
  SELECT start AS id FROM reached WHERE id = $2 LIMIT 1`;

/** A task and all above it, from the nearest. */
export async function withAncestors(manager: EntityManager, task_id: number): Promise<number[]> {
  const rows = await manager.query<{ id: number }[]>(ABOVE, [task_id]);
  return rows.map(({ id }) => id);
}

/** A task and all below it, with the level of each below the task. */
export const withDescendants = (
  manager: EntityManager,
  task_id: number,
): Promise<{ id: number; level: number }[]> =>
  manager.query<{ id: number; level: number }[]>(`${TREE} SELECT id, level FROM tree ORDER BY id`, [task_id]);

/** The one of `ids` that cannot be done before the task is: because it depends on it, or on what does, or is above it. */
export async function oneWaitingFor(
  manager: EntityManager,
  task_id: number,
  ids: number[],
): Promise<number | null> {
  const [row] = await manager.query<{ id: number }[]>(WAITED_FOR, [ids, task_id]);
  return row?.id ?? null;
}
