import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { type Team } from '../../teams/team.entity.js';
import { Teams } from '../../teams/teams.service.js';
import { insertTasks, type NewTask } from '../insert-tasks.js';
import { eventMetadata } from '../record-event.js';
import { newCorrelationId } from '../request-trail.js';
import { assertDependable, insertDependencies } from '../task-dependencies.js';
import { taskDtos } from '../task-views.js';
import { runnerOf } from '../task-transitions.js';
import { Task } from '../task.entity.js';
import { type BatchTaskDto, type CreateTaskDto, type TaskDto } from '../tasks.dto.js';
import { assertReferences } from './task-references.js';

/** Makes tasks by hand. */
@Injectable()
export class TaskCreation {
  constructor(
    private readonly db: DataSource,
    private readonly teams: Teams,
  ) {}

  async create(identity: Identity, team_id: string, dto: CreateTaskDto): Promise<TaskDto> {
    const team = await this.teams.getReachable(identity, team_id);
    return this.db.transaction(async (manager) => {
      const depends_on = [...new Set(dto.depends_on ?? [])];
      await assertReferences(manager, team, [{ ...dto, path: '' }]);
      await assertDependable(manager, team, depends_on);
      const [task] = await this.insert(manager, identity, team, [dto], () => depends_on);
      if (task === undefined) throw new Error('the task was not made');
      return task;
    });
  }

  /** All of the tasks, or none. */
  async createBatch(identity: Identity, team_id: string, tasks: BatchTaskDto[]): Promise<TaskDto[]> {
    const team = await this.teams.getReachable(identity, team_id);
    assertBackwards(tasks);
    return this.db.transaction(async (manager) => {
      await assertReferences(
        manager,
        team,
        tasks.map((task, place) => ({ assignee_id: task.assignee_id, path: `tasks.${place}.` })),
      );
      return this.insert(manager, identity, team, tasks, (place, ids) =>
        [...new Set(tasks[place]?.depends_on_indices ?? [])].map((index) => ids[index] ?? 0),
      );
    });
  }

  private async insert(
    manager: EntityManager,
    identity: Identity,
    team: Team,
    dtos: (CreateTaskDto | BatchTaskDto)[],
    dependencies: (place: number, ids: number[]) => number[],
  ): Promise<TaskDto[]> {
    const ids = await insertTasks(
      runnerOf(manager),
      dtos.map((dto) => newTask(identity, team, dto)),
    );
    await insertDependencies(
      manager,
      ids.map((task_id, place) => ({ task_id, depends_on: dependencies(place, ids) })),
    );
    const tasks = await manager.find(Task, { where: { id: In(ids) }, order: { id: 'ASC' } });
    return taskDtos(manager, tasks);
  }
}

/** @throws DomainError `validation_failed` for a place that is not an earlier one. */
function assertBackwards(tasks: BatchTaskDto[]): void {
  const errors = tasks.flatMap((task, place) =>
    (task.depends_on_indices ?? []).every((index) => index >= 0 && index < place)
      ? []
      : [{ field: `tasks.${place}.depends_on_indices`, message: 'index out of range: only earlier tasks' }],
  );
  if (errors.length > 0)
    throw new DomainError(
      'validation_failed',
      `Validation failed: depends_on_indices index out of range in ${errors.map((error) => error.field).join(', ')}`,
      { errors },
    );
}

function newTask({ actor }: Identity, team: Team, dto: CreateTaskDto | BatchTaskDto): NewTask {
  const assignee_id = dto.assignee_id?.toLowerCase() ?? null;
  const priority = dto.priority ?? 'medium';
  const correlation_id = newCorrelationId();
  const metadata = eventMetadata({ actor, correlation_id });
  return {
    org_id: team.org_id,
    team_id: team.id,
    title: dto.title,
    description: dto.description ?? '',
    status: 'todo',
    priority,
    dri_id: 'dri_id' in dto ? (dto.dri_id ?? null) : null,
    assignee_id,
    auto_assign: dto.auto_assign ?? false,
    auto_assign_role: null,
    hold_reason: null,
    repo_ids: 'repo_ids' in dto ? (dto.repo_ids ?? []) : [],
    tags: dto.tags ?? [],
    correlation_id,
    events: [
      { type: 'task.created', data: { status: 'todo', priority }, metadata },
      ...(assignee_id === null
        ? []
        : [{ type: 'task.assigned', data: { from: null, assignee_id }, metadata }]),
    ],
  };
}
