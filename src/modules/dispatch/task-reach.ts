import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { type Identity, reachable } from '../auth/identity.js';
import { Task } from '../tasks/task.entity.js';

/** Whether a task exists for the caller. */
@Injectable()
export class TaskReach {
  constructor(private readonly db: DataSource) {}

  /** @throws DomainError `task_not_found` */
  async assertTask(identity: Identity, id: number): Promise<void> {
    if (!(await this.db.getRepository(Task).existsBy({ id, ...reachable(identity) })))
      throw new DomainError('task_not_found', 'Task not found');
  }
}
