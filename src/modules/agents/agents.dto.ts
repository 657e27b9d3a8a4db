import { PartialType } from '@nestjs/swagger';
import { IsIn, IsObject, IsOptional } from 'class-validator';
import { JsonObject, Text } from '../../http/fields.js';
import {
  AGENT_ROLES,
  AGENT_RUNTIMES,
  type AgentRole,
  type AgentRuntime,
  type AgentStatus,
} from './agent.entity.js';

export class CreateAgentDto {
  /** Unique in the team. */
  @Text(1, 100)
  name: string;

  @IsOptional()
  @IsIn(AGENT_ROLES)
  role?: AgentRole;

  @IsOptional()
  @Text(1, 200)
  model?: string;

  @IsOptional()
  @JsonObject()
  config?: Record<string, unknown>;

  /** How work reaches the agent; default `pull`. */
  @IsOptional()
  @IsIn(AGENT_RUNTIMES)
  runtime?: AgentRuntime;

  /** `command`: {command, timeout_seconds?}; `http`: {url, timeout_seconds?}. */
  @IsOptional()
  @IsObject()
  runtime_config?: Record<string, unknown>;
}

/**
 * What is left out, or null, stays as it is; `config` is merged into the present one key by key, `runtime_config`
 * replaces it.
 */
export class UpdateAgentDto extends PartialType(CreateAgentDto) {
  /** `paused`: gets no further work; `idle`: takes work again. */
  @IsOptional()
  @IsIn(['idle', 'paused'])
  status?: 'idle' | 'paused';
}

export class AgentDto {
  id: string;
  team_id: string;
  name: string;
  role: AgentRole;
  model: string;
  config: Record<string, unknown>;
  runtime: AgentRuntime;
  runtime_config: Record<string, unknown>;
  status: AgentStatus;
  created_at: Date;

  /** Key of the signatures on calls to an `http` runtime: shown when it is made, and never again. */
  runtime_secret?: string;
}
