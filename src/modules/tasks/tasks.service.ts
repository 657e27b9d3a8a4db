import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type FindOptionsWhere, LessThan, Not, Repository } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { type Identity, reachable } from '../auth/identity.js';
import { Teams } from '../teams/teams.service.js';
import { taskDetails } from './task-views.js';
import { Task, TASK_STATUSES, type TaskStatus } from './task.entity.js';
import { type TaskDetailDto, type TaskListQuery } from './tasks.dto.js';

/** The tasks of teams, to read. */
@Injectable()
export class Tasks {
  constructor(
    @InjectRepository(Task) private readonly tasks: Repository<Task>,
    private readonly teams: Teams,
  ) {}

  /** Newest first. Without a status, what is archived is left out; an unknown status has no tasks. */
  async list(identity: Identity, team_id: string, query: TaskListQuery): Promise<Page<TaskDetailDto>> {
    await this.teams.getReachable(identity, team_id);
    const { limit = 100, assignee_id } = query;
    const status = query.status === '' ? undefined : query.status;
    if (status !== undefined && !TASK_STATUSES.includes(status as TaskStatus)) return new Page([], null);
    const position = decodeCursor(query.cursor, 1);
    const where: FindOptionsWhere<Task> = {
      team_id,
      ...(assignee_id ? { assignee_id } : {}),
      ...(status !== undefined
        ? { status: status as TaskStatus }
        : query.include_archived === true
          ? {}
          : { status: Not('archived' as const) }),
      ...(position === null ? {} : { id: LessThan(positionId(position)) }),
    };
    const rows = await this.tasks.find({
      where,
      order: { id: 'DESC' },
      take: limit + 1,
      // The link to the next page keeps the query, offset included.
      skip: position === null ? (query.offset ?? 0) : 0,
    });
    const page = Page.of(rows, limit, (task) => [task.id]);
    return new Page(await taskDetails(this.tasks.manager, page.items), page.next);
  }

  async detail(identity: Identity, id: number): Promise<TaskDetailDto> {
    const [detail] = await taskDetails(this.tasks.manager, [await this.getReachable(identity, id)]);
    if (detail === undefined) throw new DomainError('task_not_found', 'Task not found');
    return detail;
  }

  /** @throws DomainError `task_not_found`: also for another tenant's task. */
  async getReachable(identity: Identity, id: number): Promise<Task> {
    const task = await this.tasks.findOneBy({ id, ...reachable(identity) });
    if (task === null) throw new DomainError('task_not_found', 'Task not found');
    return task;
  }

  /** For other parts of the service, which know that the task exists. */
  async get(id: number): Promise<Task> {
    const task = await this.tasks.findOneBy({ id });
    if (task === null) throw new DomainError('task_not_found', 'Task not found');
    return task;
  }
}

/** @throws DomainError `invalid_cursor` for a position that is no id. */
export function positionId(position: (string | number)[]): number {
  const [id] = position;
  if (typeof id !== 'number' || !Number.isSafeInteger(id))
    throw new DomainError('invalid_cursor', 'The cursor is not one this list has given out');
  return id;
}
