import { Injectable } from '@nestjs/common';
import { DataSource, MoreThan } from 'typeorm';
import { decodeCursor, Page, type PageQuery } from '../../../http/pagination.js';
import { type Identity, reachable } from '../../auth/identity.js';
import { toTaskEventDto } from '../task-events.service.js';
import { type TaskEvent } from '../task-event.entity.js';
import { taskDetails } from '../task-views.js';
import { Task } from '../task.entity.js';
import { type TaskDetailDto } from '../tasks.dto.js';
import { positionId, Tasks } from '../tasks.service.js';
import { type TimelineEventDto } from './subtasks.dto.js';
import { TREE } from './task-tree.js';

/** In the order they were written, which is that of time; every event of the tree is its organization's. */
const TIMELINE = `
  ${TREE}
  SELECT e.id, e.task_id, e.type, e.data, e.metadata, e.created_at
  FROM tree JOIN task_events e ON e.task_id = tree.id
  WHERE e.org_id = $2 AND e.id > $3 ORDER BY e.id LIMIT $4`;

/** What is below a task, to read. */
@Injectable()
export class Subtasks {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
  ) {}

  /** The tasks right below, in the order they were made. */
  async list(identity: Identity, parent_id: number, query: PageQuery): Promise<Page<TaskDetailDto>> {
    await this.tasks.getReachable(identity, parent_id);
    const position = decodeCursor(query.cursor, 1);
    const { limit = 100 } = query;
    const rows = await this.db.manager.find(Task, {
      where: {
        ...reachable(identity),
        parent_id,
        ...(position === null ? {} : { id: MoreThan(positionId(position)) }),
      },
      order: { id: 'ASC' },
      take: limit + 1,
    });
    const page = Page.of(rows, limit, (task) => [task.id]);
    return new Page(await taskDetails(this.db.manager, page.items), page.next);
  }

  /** The audit trails of the task and of all below it as one, oldest first. */
  async timeline(identity: Identity, task_id: number, query: PageQuery): Promise<Page<TimelineEventDto>> {
    const { org_id } = await this.tasks.getReachable(identity, task_id);
    const position = decodeCursor(query.cursor, 1);
    const { limit = 100 } = query;
    const after = position === null ? 0 : positionId(position);
    const rows = await this.db.query<TaskEvent[]>(TIMELINE, [task_id, org_id, after, limit + 1]);
    return Page.of(rows, limit, ({ id }) => [id]).map((event) => ({
      ...toTaskEventDto(event),
      task_id: event.task_id,
      actor: event.metadata.actor,
      correlation_id: event.metadata.correlation_id,
    }));
  }
}
