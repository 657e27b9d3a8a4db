import { WRITE_BACK_STATUSES, type WriteBackStatus } from './github-write-back.entity.js';
import { ApiProperty } from '@nestjs/swagger';

export class WriteBackDto {
  task_id: number;

  /** See `GithubWriteBack`. */
  @ApiProperty({ enum: WRITE_BACK_STATUSES })
  status: WriteBackStatus;

  comment_url: string | null;

  /** When the issue was given the label of `config.write_back`. */
  labelled_at: Date | null;

  /** Whether the issue was closed for the task's completion, the last one. */
  closed: boolean;

  failures: number;
  last_error: string | null;

  /** When it is worked on next; null when there is nothing to do. */
  due_at: Date | null;

  created_at: Date;
  updated_at: Date;
}
