import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { Tasks } from '../../tasks/tasks.facade.js';
import { GithubWriteBack } from './github-write-back.entity.js';
import { type WriteBackDto } from './write-back.dto.js';

/** Write-backs as people see them. */
@Injectable()
export class WriteBacks {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
  ) {}

  async get(identity: Identity, id: number): Promise<WriteBackDto> {
    const { org_id } = await this.tasks.getReachable(identity, id);
    const row = await this.db.getRepository(GithubWriteBack).findOneBy({ task_id: id, org_id });
    if (row === null) throw new DomainError('write_back_not_found', 'Nothing of this task is told to GitHub');
    const { task_id, status, comment_url, labelled_at, closed_for, failures } = row;
    const { last_error, due_at, created_at, updated_at } = row;
    return {
      task_id,
      status,
      comment_url,
      labelled_at,
      closed: closed_for !== null,
      failures,
      last_error,
      due_at,
      created_at,
      updated_at,
    };
  }
}
