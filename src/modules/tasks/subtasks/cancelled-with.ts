import { type EntityManager } from 'typeorm';
import { type Task } from '../task.entity.js';

/** A task that is to be cancelled because another one was. */
export interface CancelledWith {
  id: number;
  reason: 'parent_cancelled' | 'dependency_cancelled';
}

/** A merge is not taken back: what is merging ends by itself. Work that has begun needs its dependencies no more. */
const WITH = `
  SELECT id, 'parent_cancelled' AS reason FROM tasks
  WHERE parent_id = $1 AND status IN ('todo','in_progress','in_review','in_approval')
  UNION ALL
  SELECT t.id, 'dependency_cancelled' FROM task_dependencies d JOIN tasks t ON t.id = d.task_id
  WHERE d.depends_on_id = $1 AND t.on_cancel = 'cancel' AND t.status = 'todo'
  ORDER BY id`;

/** What a cancelled task takes with it, one step far. */
export const cancelledWith = (manager: EntityManager, task: Task): Promise<CancelledWith[]> =>
  manager.query<CancelledWith[]>(WITH, [task.id]);
