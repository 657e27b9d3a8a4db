import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';

export class BudgetQuery {
  @ApiPropertyOptional({ type: Number, minimum: 1, description: "Also this task's costs" })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;
}

export class BudgetDto {
  within_budget: boolean;
  /** Of the agent, today (UTC). */
  daily_spent_usd: number;
  daily_limit_usd: number;
  /** Of the task, ever and by whomever; 0 without `task_id`. */
  task_spent_usd: number;
  task_limit_usd: number;
  /** Of all agents of the team, today (UTC). */
  team_spent_usd: number;
  /** Null when the team has set none. */
  team_limit_usd: number | null;
  /** Of the agent's runs and sessions that began today, those whose usage nobody reported: they may have cost anything. */
  unknown_runs: number;
  /** Which limits are reached, for a person. */
  violations: string[];
}

export class CostsQuery {
  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: 90, default: 7 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(90)
  days?: number;
}

export class AgentCostDto {
  agent_id: string;
  agent_name: string;
  cost_usd: number;
  sessions: number;
}

export class ModelCostDto {
  model: string;
  cost_usd: number;
  sessions: number;
  /** Whether the model has prices of its own; else those of Sonnet were taken. */
  price_known: boolean;
}

export class CostSummaryDto {
  team_id: string;
  /** Days (UTC), today included; a session counts on the day it began. */
  period_days: number;
  total_cost_usd: number;
  total_tokens_in: number;
  total_tokens_out: number;
  session_count: number;
  /** Runs and sessions whose usage nobody reported: they are in no sum. */
  unknown_runs: number;
  per_agent: AgentCostDto[];
  per_model: ModelCostDto[];
}
