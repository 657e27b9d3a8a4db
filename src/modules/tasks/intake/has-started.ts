import { type EntityManager } from 'typeorm';
import { type Task } from '../task.entity.js';

/** Whether work was begun on what the task says: what waits, also for another attempt, may still be changed. */
export async function hasStarted(manager: EntityManager, task: Task): Promise<boolean> {
  if (task.status === 'todo') return false;
  if (task.status !== 'cancelled') return true;
  const [row] = await manager.query<{ started: boolean }[]>(
    `SELECT EXISTS (SELECT FROM task_events WHERE task_id = $1
       AND type = 'task.status_changed' AND data->>'to' = 'in_progress') AS started`,
    [task.id],
  );
  return row?.started ?? false;
}
