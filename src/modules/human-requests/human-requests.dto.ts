import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  IsUUID,
  Max,
  MaxLength,
  Min,
  MinLength,
} from 'class-validator';
import { Text } from '../../http/fields.js';
import { HUMAN_REQUEST_STATUSES, type HumanRequestStatus } from './human-request.entity.js';

const MAX_MINUTES = 525_600;

export class AskHumanDto {
  /** Who asks, and is told the answer. */
  @IsUUID()
  agent_id: string;

  @IsUUID()
  team_id: string;

  /** `question`, `approval`, `review`, …: free. */
  @Text(1, 100)
  kind: string;

  @Text(1, 20_000)
  question: string;

  /** A task of the same team. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;

  /** The only answers there are; any, when there are none. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(50)
  @IsString({ each: true })
  @MinLength(1, { each: true })
  @MaxLength(1_000, { each: true })
  options?: string[];

  /** Without an answer by then, the request expires. */
  @IsOptional()
  @Type(() => Number)
  @IsNumber()
  @Min(0.01)
  @Max(MAX_MINUTES)
  timeout_minutes?: number;
}

export class RespondDto {
  @Text(1, 20_000)
  response: string;

  /** Kept as a claim: who responds is the authenticated one. */
  @IsOptional()
  @Text(0, 200)
  responded_by?: string;
}

export class WaitQuery {
  /** How long the answer to this call may wait for the person's. */
  @IsOptional()
  @Type(() => Number)
  @IsNumber()
  @Min(0)
  @Max(30)
  wait_seconds?: number;
}

export class HumanRequestsQuery {
  @IsOptional()
  @IsIn(HUMAN_REQUEST_STATUSES)
  status?: HumanRequestStatus;

  @IsOptional()
  @IsUUID()
  agent_id?: string;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit?: number;

  @IsOptional()
  @IsString()
  @MaxLength(1_000)
  cursor?: string;
}

export class HumanRequestDto {
  id: number;
  team_id: string;
  agent_id: string;
  task_id: number | null;
  kind: string;
  question: string;
  options: string[];
  @IsIn(HUMAN_REQUEST_STATUSES)
  status: HumanRequestStatus;
  response: string | null;
  /** The authenticated user or key. */
  responded_by: string | null;
  timeout_at: Date | null;
  created_at: Date;
  /** When it was answered or expired. */
  resolved_at: Date | null;
}
