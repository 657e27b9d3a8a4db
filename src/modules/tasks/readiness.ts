import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { type DependencyDto } from './tasks.dto.js';

/*
 * The one rule of when a task may be worked on, as SQL over a row `t` of tasks. The claim, the status of dispatch, the
 * backlog and the table of states all ask it here.
 */

/** Archiving keeps `completed_at`: what was done before stays done. */
export const isDone = (task: string): string =>
  `(${task}.status = 'done' OR ${task}.status = 'archived' AND ${task}.completed_at IS NOT NULL)`;

export const isOpen = (task: string): string => `${task}.status NOT IN ('done','cancelled','archived')`;

/** The dependencies `b` that keep `t` from starting. One that was cancelled does, unless `t` skips such. */
const UNMET = `task_dependencies d JOIN tasks b ON b.id = d.depends_on_id
        WHERE d.task_id = t.id AND NOT ${isDone('b')} AND (t.on_cancel <> 'skip' OR ${isOpen('b')})`;

export const IS_BLOCKED = `EXISTS (SELECT FROM ${UNMET})`;

/** What blocks `t`, for people: an array of {id, title, status}. */
export const BLOCKED_BY = `(SELECT coalesce(jsonb_agg(jsonb_build_object('id', b.id, 'title', b.title,
        'status', b.status) ORDER BY d.position, b.id), '[]') FROM ${UNMET})`;

/** A task with open sub-tasks is not worked on itself: it waits for them. */
export const HAS_OPEN_SUBTASKS = `EXISTS (SELECT FROM tasks c WHERE c.parent_id = t.id AND ${isOpen('c')})`;

export const MAY_START = `t.status = 'todo' AND t.hold_reason IS NULL
      AND NOT ${IS_BLOCKED}
      AND NOT ${HAS_OPEN_SUBTASKS}`;

/** The dependencies that keep a task from starting. */
export async function unmetDependencies(manager: EntityManager, task_id: number): Promise<DependencyDto[]> {
  const [row] = await manager.query<{ blocked_by: DependencyDto[] }[]>(
    `SELECT ${BLOCKED_BY} AS blocked_by FROM tasks t WHERE t.id = $1`,
    [task_id],
  );
  return row?.blocked_by ?? [];
}

const OPEN_SUBTASKS: PreparedStatement = {
  name: 'has-open-subtasks',
  text: `SELECT ${HAS_OPEN_SUBTASKS} AS open FROM tasks t WHERE t.id = $1`,
};

export async function hasOpenSubtasks(manager: EntityManager, task_id: number): Promise<boolean> {
  const [row] = await preparedBy<{ open: boolean }>(manager, OPEN_SUBTASKS, [task_id]);
  return row?.open ?? false;
}
