import { type EntityManager } from 'typeorm';
import { countSubtasks } from './subtasks/count-subtasks.js';
import { type Task } from './task.entity.js';
import { type DependencyDto, type TaskDetailDto, type TaskDto, type TaskSourceDto } from './tasks.dto.js';

const DEPENDENCIES = `
  SELECT d.task_id, t.id, t.title, t.status FROM task_dependencies d JOIN tasks t ON t.id = d.depends_on_id
  WHERE d.task_id = ANY($1) ORDER BY d.task_id, d.position`;

const SOURCES = `
  SELECT task_id, kind, repository, number, url, author, author_association, state, state_reason, draft,
    edited_after_start
  FROM task_sources WHERE task_id = ANY($1)`;

/** The answers for tasks, in their order, with what they depend on and come from and their sub-tasks: three queries, however many tasks. */
export async function taskDetails(manager: EntityManager, tasks: Task[]): Promise<TaskDetailDto[]> {
  const answers = await answersFor(manager, tasks);
  if (answers.length === 0) return [];
  const countsOf = await countSubtasks(
    manager,
    tasks.map(({ id }) => id),
  );
  return answers.map(({ task, dependent_tasks }) =>
    Object.assign(task, { dependent_tasks, subtasks: countsOf(task.id) }),
  );
}

/** The answers that a change of tasks gives back. */
export async function taskDtos(manager: EntityManager, tasks: Task[]): Promise<TaskDto[]> {
  return (await answersFor(manager, tasks)).map(({ task }) => task);
}

async function answersFor(
  manager: EntityManager,
  tasks: Task[],
): Promise<{ task: TaskDto; dependent_tasks: DependencyDto[] }[]> {
  if (tasks.length === 0) return [];
  const ids = [tasks.map((task) => task.id)];
  const dependencies = await manager.query<(DependencyDto & { task_id: number })[]>(DEPENDENCIES, ids);
  const sources = await manager.query<(TaskSourceDto & { task_id: number })[]>(SOURCES, ids);
  const dependenciesOf = Map.groupBy(dependencies, (row) => row.task_id);
  const sourceOf = new Map(sources.map(({ task_id, ...source }) => [task_id, source]));
  return tasks.map((task) => {
    const dependent_tasks = (dependenciesOf.get(task.id) ?? []).map(({ id, title, status }) => ({
      id,
      title,
      status,
    }));
    return { task: toTaskDto(task, dependent_tasks, sourceOf.get(task.id) ?? null), dependent_tasks };
  });
}

const toTaskDto = (task: Task, dependencies: DependencyDto[], source: TaskSourceDto | null): TaskDto => ({
  id: task.id,
  team_id: task.team_id,
  title: task.title,
  description: task.description,
  status: task.status,
  priority: task.priority,
  dri_id: task.dri_id,
  assignee_id: task.assignee_id,
  depends_on: dependencies.map(({ id }) => id),
  repo_ids: task.repo_ids,
  tags: task.tags,
  branch: task.branch,
  created_at: task.created_at,
  updated_at: task.updated_at,
  completed_at: task.completed_at,
  auto_assign: task.auto_assign,
  auto_assign_role: task.auto_assign_role,
  hold_reason: task.hold_reason,
  last_error: task.last_error,
  failed_runs: task.failed_runs,
  dispatch_after: task.dispatch_after,
  correlation_id: task.correlation_id,
  version: task.version,
  source,
  parent_id: task.parent_id,
  on_cancel: task.on_cancel,
});
