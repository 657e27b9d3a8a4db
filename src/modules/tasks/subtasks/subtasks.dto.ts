import { OmitType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsUUID,
  Min,
  ValidateNested,
} from 'class-validator';
import { Text } from '../../../http/fields.js';
import { AGENT_ROLES, type AgentRole } from '../../agents/agent.entity.js';
import { type Actor } from '../../auth/identity.js';
import { TaskIds } from '../task-ids.js';
import { MAX_REFERENCES, TaskEventDto, TaskFieldsDto } from '../tasks.dto.js';

export const MAX_SUBTASKS = 50;
export const MAX_KEY = 200;

/** What is left out of priority and repo_ids is as in the parent. At most one of role, agent and assignee_id. */
export class SubtaskDto extends OmitType(TaskFieldsDto, ['auto_assign']) {
  /** Any idle agent of this role takes it. */
  @IsOptional()
  @IsIn(AGENT_ROLES)
  role?: AgentRole;

  /** Name of an agent of the team. */
  @IsOptional()
  @Text(1, 100)
  agent?: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_REFERENCES)
  @IsUUID(undefined, { each: true })
  repo_ids?: string[];

  /** Places in this list, from 0, earlier or later ones. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_SUBTASKS)
  @Type(() => Number)
  @IsInt({ each: true })
  @Min(0, { each: true })
  depends_on_indices?: number[];

  /** Tasks that are there already. */
  @IsOptional()
  @TaskIds(MAX_REFERENCES)
  depends_on?: number[];
}

export class DecomposeDto {
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(MAX_SUBTASKS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => SubtaskDto)
  subtasks: SubtaskDto[];

  /** Asked again under the same key, nothing is made again. Also as the header `Idempotency-Key`. */
  @IsOptional()
  @Text(1, MAX_KEY)
  idempotency_key?: string;
}

/** An event of a task or of one below it. */
export class TimelineEventDto extends TaskEventDto {
  task_id: number;
  /** Who did it: {type, id, name?}. */
  actor: Actor;
  correlation_id: string;
}
