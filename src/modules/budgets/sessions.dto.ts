import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsUUID, Max, Min } from 'class-validator';
import { Text } from '../../http/fields.js';
import { PageQuery } from '../../http/pagination.js';

const MAX_TOKENS = 100_000_000_000;

export class StartSessionDto {
  @IsUUID('loose')
  agent_id: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;

  /** The agent's, if left out. */
  @IsOptional()
  @Text(1, 200)
  model?: string;

  /** The run that the session is part of; an agent with a run is in it anyway. */
  @IsOptional()
  @IsUUID('loose')
  run_id?: string;
}

export class UsageDto {
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_TOKENS)
  tokens_in?: number;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_TOKENS)
  tokens_out?: number;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_TOKENS)
  cache_read?: number;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_TOKENS)
  cache_write?: number;
}

/** What a run has used so far: totals, so that they can be said again; of several models, one report for each. */
export class RunUsageDto extends UsageDto {
  /** The agent's, if left out. */
  @IsOptional()
  @Text(1, 200)
  model?: string;
}

export class EndSessionDto {
  @IsOptional()
  @Text(0, 10_000)
  error?: string;
}

export class SessionQuery extends PageQuery {
  @ApiPropertyOptional({ type: Number, minimum: 1 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;
}

export class SessionDto {
  id: number;
  agent_id: string;
  task_id: number | null;
  /** Null outside of runs. */
  run_id: string | null;
  started_at: Date;
  ended_at: Date | null;
  tokens_in: number;
  tokens_out: number;
  cache_read: number;
  cache_write: number;
  cost_usd: number;
  model: string;
  error: string | null;
  /** Whether the model has prices of its own; else those of Sonnet were taken. */
  price_known: boolean;
  /** False: what was used is unknown, and `cost_usd` says nothing. */
  usage_reported: boolean;
}
