import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../../database/prepared.js';
import { isDone, isOpen } from '../readiness.js';
import { type SubtaskCountsDto } from '../tasks.dto.js';

const COUNT: PreparedStatement = {
  name: 'count-subtasks',
  text: `
  SELECT t.parent_id, count(*)::int AS total, count(*) FILTER (WHERE ${isOpen('t')})::int AS open,
    count(*) FILTER (WHERE ${isDone('t')})::int AS done
  FROM tasks t WHERE t.parent_id = ANY($1) GROUP BY t.parent_id`,
};

const NONE: SubtaskCountsDto = { total: 0, open: 0, done: 0, cancelled: 0 };

/** Of one task: not part of the above, whose plan PostgreSQL makes anew each time because of the array. */
const COUNT_ONE: PreparedStatement = {
  name: 'count-subtasks-of-one',
  text: `
  SELECT count(*) FILTER (WHERE ${isOpen('t')})::int AS open, count(*) FILTER (WHERE ${isDone('t')})::int AS done
  FROM tasks t WHERE t.parent_id = $1`,
};

export async function countOpenAndDone(
  manager: EntityManager,
  task_id: number,
): Promise<{ open: number; done: number }> {
  const [row] = await preparedBy<{ open: number; done: number }>(manager, COUNT_ONE, [task_id]);
  return row ?? NONE;
}

/** Of each of the tasks, how its sub-tasks stand: those right below it. */
export async function countSubtasks(
  manager: EntityManager,
  task_ids: number[],
): Promise<(task_id: number) => SubtaskCountsDto> {
  const rows = await preparedBy<{ parent_id: number; total: number; open: number; done: number }>(
    manager,
    COUNT,
    [task_ids],
  );
  const counts = new Map(
    rows.map(({ parent_id, total, open, done }) => [
      parent_id,
      { total, open, done, cancelled: total - open - done },
    ]),
  );
  return (task_id) => counts.get(task_id) ?? NONE;
}
