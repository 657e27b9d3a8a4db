import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsNumber, IsOptional, Matches, Max, Min } from 'class-validator';
import { JsonObject, Text } from '../../http/fields.js';

const MAX_USD = 1_000_000;

/** What a team can set. What it has not set is left out, and whoever reads it applies its own default. */
export class TeamSettingsValues {
  /** What each agent of the team may spend in a day (UTC). An agent's own limit can only be lower. */
  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(MAX_USD)
  daily_cost_limit_usd?: number;

  /** What each task may cost. An agent's own limit can only be lower. */
  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(MAX_USD)
  task_cost_limit_usd?: number;

  /** What all agents together may spend in a day (UTC). */
  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(MAX_USD)
  daily_team_cost_limit_usd?: number;

  /** Of agents that are made without a model. */
  @IsOptional()
  @Text(1, 200)
  default_model?: string;

  /** Merges what is approved without being asked. */
  @IsOptional()
  @IsBoolean()
  auto_merge?: boolean;

  /** Stands before the branch names of new tasks, as in `agents/`. */
  @IsOptional()
  @Matches(/^(?:[A-Za-z0-9_][A-Za-z0-9_-]*\/)*(?:[A-Za-z0-9_][A-Za-z0-9_-]*)?$/, {
    message: 'branch_prefix must be letters, digits, _ and -, in parts that slashes divide',
  })
  @Text(0, 50)
  branch_prefix?: string;

  /** No task gets past review by hand. */
  @IsOptional()
  @IsBoolean()
  require_review?: boolean;

  /** An agent's approval replaces a person's. */
  @IsOptional()
  @IsBoolean()
  agent_approval_counts?: boolean;

  /** Kept for the clients that show notifications. */
  @IsOptional()
  @JsonObject()
  notifications?: Record<string, unknown>;
}

/** What is left out, or null, stays as it is. */
export class UpdateTeamSettingsDto extends TeamSettingsValues {}

export class TeamSettingsDto {
  team_id: string;
  team_name: string;
  settings: TeamSettingsValues;
}

export class OrganizationSettingsDto {
  org_id: string;
  org_name: string;

  /** An organization has none so far. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  settings: Record<string, never>;
}
