import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { type Team } from '../../teams/team.entity.js';
import { Teams } from '../../teams/teams.service.js';
import { insertTasks } from '../insert-tasks.js';
import { assertDepth, takeParent, touchParent } from '../subtasks/task-parents.js';
import { withAncestors } from '../subtasks/task-tree.js';
import { assertDependable, assertDependableBelow, insertDependencies } from '../task-dependencies.js';
import { lockToLink } from '../task-locks.js';
import { taskDtos } from '../task-views.js';
import { runnerOf } from '../task-transitions.js';
import { Task } from '../task.entity.js';
import { type BatchTaskDto, type CreateTaskDto, type TaskDto } from '../tasks.dto.js';
import { newTask } from './new-task.js';
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
      const parent = await this.link(manager, identity, team, dto);
      await assertDependable(manager, team, depends_on, dto.on_cancel ?? 'block');
      if (parent !== null) await assertDependableBelow(manager, parent.id, depends_on);
      const [task] = await this.insert(manager, identity, team, [dto], () => depends_on, parent);
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

  /** Keeps the links of the team still where the new task takes part in them. @returns its parent. */
  private async link(
    manager: EntityManager,
    identity: Identity,
    team: Team,
    { parent_id, on_cancel }: CreateTaskDto,
  ): Promise<Task | null> {
    if (typeof parent_id !== 'number') {
      if (on_cancel === 'cancel') await lockToLink(manager, team.id);
      return null;
    }
    await lockToLink(manager, team.id, [parent_id]);
    const parent = await takeParent(manager, identity, team.id, parent_id);
    assertDepth(await withAncestors(manager, parent.id), 0);
    await touchParent(manager, parent);
    return parent;
  }

  private async insert(
    manager: EntityManager,
    identity: Identity,
    team: Team,
    dtos: (CreateTaskDto | BatchTaskDto)[],
    dependencies: (place: number, ids: number[]) => number[],
    parent: Task | null = null,
  ): Promise<TaskDto[]> {
    const ids = await insertTasks(
      runnerOf(manager),
      dtos.map((dto) => newTask(identity, team, dto, parent)),
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
