import { PartialType, PickType } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { Text } from '../../http/fields.js';
import { PageQuery } from '../../http/pagination.js';
import {
  ON_CANCEL,
  type OnCancel,
  TASK_PRIORITIES,
  TASK_STATUSES,
  type TaskPriority,
  type TaskStatus,
} from './task.entity.js';
import { TaskId, TaskIds } from './task-ids.js';
import { Tags } from './tags.js';

const MAX_DESCRIPTION = 1_000_000;
export const MAX_REFERENCES = 100;
const MAX_BATCH = 200;

/** A task that this one depends on. */
export class DependencyDto {
  id: number;
  title: string;
  status: TaskStatus;
}

/** The issue or pull request that a task comes from. */
export class TaskSourceDto {
  kind: 'issue' | 'pull_request';
  repository: string | null;
  number: number | null;
  url: string | null;
  author: string | null;
  author_association: string | null;
  state: string;
  state_reason: string | null;
  draft: boolean;
  /** Title or body changed on GitHub after work had started on them. */
  edited_after_start: boolean;
}

export class TaskDto {
  id: number;
  team_id: string;
  title: string;
  description: string;
  status: TaskStatus;
  priority: TaskPriority;
  dri_id: string | null;
  assignee_id: string | null;
  depends_on: number[];
  repo_ids: string[];
  tags: string[];
  branch: string;
  created_at: Date;
  updated_at: Date;
  completed_at: Date | null;
  /** May be given to any idle agent of the team. */
  auto_assign: boolean;
  auto_assign_role: string | null;
  /** Why it is not dispatched: `awaiting_release`, `draft`, `attempts_exhausted`, `run_cancelled`, `subtasks_gone`. */
  hold_reason: string | null;
  last_error: string | null;
  /** Failed runs since it was last released, assigned or reopened. */
  failed_runs: number;
  /** Not dispatched before this moment. */
  dispatch_after: Date | null;
  correlation_id: string;
  /** Counts changes; see `version` of PATCH. */
  version: number;
  source: TaskSourceDto | null;
  /** The task that this one is a part of. */
  parent_id: number | null;
  /** What a cancelled dependency means to it. */
  @IsIn(ON_CANCEL)
  on_cancel: OnCancel;
}

/** How the tasks right below a task stand; what is archived counts as what it was before. */
export class SubtaskCountsDto {
  total: number;
  open: number;
  done: number;
  cancelled: number;
}

export class TaskDetailDto extends TaskDto {
  /** The tasks that this one depends on, in the order of `depends_on`. */
  dependent_tasks: DependencyDto[];
  subtasks: SubtaskCountsDto;
}

class OnCancelDto {
  /** A cancelled dependency blocks the task (the default), is skipped, or cancels it too. */
  @IsOptional()
  @IsIn(ON_CANCEL)
  on_cancel?: OnCancel;
}

export class TaskFieldsDto extends OnCancelDto {
  @Text(1, 500)
  title: string;

  @IsOptional()
  @Text(0, MAX_DESCRIPTION)
  description?: string;

  @IsOptional()
  @IsIn(TASK_PRIORITIES)
  priority?: TaskPriority;

  @IsOptional()
  @IsUUID()
  assignee_id?: string;

  @IsOptional()
  @Tags()
  tags?: string[];

  /** Lets a dispatcher give the task to any idle agent of the team. */
  @IsOptional()
  @IsBoolean()
  auto_assign?: boolean;
}

export class CreateTaskDto extends TaskFieldsDto {
  @IsOptional()
  @IsUUID()
  dri_id?: string;

  @IsOptional()
  @TaskIds(MAX_REFERENCES)
  depends_on?: number[];

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_REFERENCES)
  @IsUUID(undefined, { each: true })
  repo_ids?: string[];

  /** Makes it a sub-task of another task of the team. */
  @IsOptional()
  @TaskId()
  parent_id?: number;
}

export class BatchTaskDto extends TaskFieldsDto {
  /** Places of earlier tasks of this batch, from 0. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_REFERENCES)
  @Type(() => Number)
  @IsInt({ each: true })
  depends_on_indices?: number[];
}

export class CreateTasksDto {
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(MAX_BATCH)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => BatchTaskDto)
  tasks: BatchTaskDto[];
}

export class UpdateTaskDto extends PartialType(
  PickType(TaskFieldsDto, ['title', 'description', 'priority', 'tags']),
) {
  /** The version the change was made of: another one is 409, so that no change is lost. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  version?: number;

  /** Makes it a sub-task of another task of the team; `DELETE /tasks/{task_id}/parent` takes it out again. */
  @IsOptional()
  @TaskId()
  parent_id?: number;
}

export class ArchiveTaskDto {
  /** Kept as a claim: the actor is the authenticated one. */
  @IsOptional()
  @Text(0, 200)
  actor_id?: string;
}

export class ChangeStatusDto extends ArchiveTaskDto {
  @IsIn(TASK_STATUSES)
  status: TaskStatus;

  @IsOptional()
  @Text(0, 2_000)
  reason?: string;
}

export class AssignTaskDto {
  @IsUUID()
  assignee_id: string;
}

export class SetDependenciesDto extends OnCancelDto {
  @TaskIds(MAX_REFERENCES)
  depends_on: number[];
}

export class TaskListQuery extends PageQuery {
  @IsOptional()
  @IsString()
  @MaxLength(100)
  status?: string;

  @IsOptional()
  @IsUUID()
  assignee_id?: string;

  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? isTrue(value) : value))
  @IsBoolean()
  include_archived?: boolean;

  /** Rows to leave out at the start; not with `cursor`. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  offset?: number;
}

export class TaskEventDto {
  id: number;
  type: string;
  data: Record<string, unknown>;
  /** `actor`, `correlation_id`, and what led to it: `request_id`, `delivery_id`, `run_id`, `claimed`. */
  metadata: Record<string, unknown>;
  created_at: string;
}

export const isTrue = (text: string): boolean => ['true', '1', 'yes', 'on'].includes(text.toLowerCase());
