import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, MoreThan, Repository } from 'typeorm';
import { decodeCursor, Page, type PageQuery } from '../../http/pagination.js';
import { type Identity, reachable } from '../auth/identity.js';
import { type NewTaskEvent, recordEvents } from './record-event.js';
import { TaskEvent } from './task-event.entity.js';
import { Task } from './task.entity.js';
import { type TaskEventDto } from './tasks.dto.js';
import { positionId } from './tasks.service.js';

/** The audit trail of tasks. */
@Injectable()
export class TaskEvents {
  constructor(@InjectRepository(TaskEvent) private readonly events: Repository<TaskEvent>) {}

  /** Writes events in the transaction of the change that they record. */
  record(manager: EntityManager, ...events: NewTaskEvent[]): Promise<void> {
    return recordEvents(manager, events);
  }

  /** Oldest first. A task that is not there, or not for the caller, has none. */
  async list(identity: Identity, task_id: number, query: PageQuery): Promise<Page<TaskEventDto>> {
    const position = decodeCursor(query.cursor, 1);
    const { limit = 100 } = query;
    if (!(await this.events.manager.existsBy(Task, { id: task_id, ...reachable(identity) })))
      return new Page([], null);
    const rows = await this.events.find({
      where: { task_id, ...(position === null ? {} : { id: MoreThan(positionId(position)) }) },
      order: { id: 'ASC' },
      take: limit + 1,
    });
    return Page.of(rows, limit, (event) => [event.id]).map(toTaskEventDto);
  }
}

export const toTaskEventDto = ({ id, type, data, metadata, created_at }: TaskEvent): TaskEventDto => ({
  id,
  type,
  data,
  metadata: { ...metadata },
  created_at: created_at.toISOString().replace('Z', '+00:00'),
});
