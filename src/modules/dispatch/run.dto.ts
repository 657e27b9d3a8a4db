import { Type } from 'class-transformer';
import { IsIn, IsInt, IsNumber, IsObject, IsOptional, Max, Min, ValidateNested } from 'class-validator';
import { Text } from '../../http/fields.js';
import { AGENT_RUNTIMES, type AgentRuntime } from '../agents/agent.entity.js';
import { RunUsageDto } from '../budgets/sessions.dto.js';
import { TASK_PRIORITIES, TASK_STATUSES, type TaskPriority, type TaskStatus } from '../tasks/task.entity.js';
import { DependencyDto } from '../tasks/tasks.dto.js';
import { RUN_STATUSES, type RunStatus } from './agent-run.entity.js';

/** One attempt of one agent at one task. */
export class RunDto {
  id: string;
  team_id: string;
  task_id: number;
  agent_id: string;
  /** 1 for the task's first run. */
  attempt: number;
  @IsIn(RUN_STATUSES)
  status: RunStatus;
  @IsIn(AGENT_RUNTIMES)
  runtime: AgentRuntime;
  /** Without a heartbeat until then, the run counts as lost. */
  lease_expires_at: Date;
  heartbeat_at: Date;
  cancel_requested_at: Date | null;
  cancel_reason: string | null;
  exit_code: number | null;
  error: string | null;
  /** What the agent last said of its progress, and at the end of its work. */
  summary: string | null;
  correlation_id: string;
  started_at: Date;
  /** When the runtime reported that work had begun. */
  work_started_at: Date | null;
  finished_at: Date | null;
}

export class RunDetailDto extends RunDto {
  /** What the agent was told. */
  prompt: string | null;
  /** The last 64 KiB of what it printed. */
  output: string | null;
  /** Messages that are part of the prompt. */
  message_ids: number[];
}

/** Proof that the caller still holds the run. */
export class FencedDto {
  /** As the claim gave it. */
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  fencing_token: number;
}

export class HeartbeatDto extends FencedDto {
  /** One line for people who watch. */
  @IsOptional()
  @Text(0, 2_000)
  progress?: string;

  /** What the run has used so far: totals, not what was added since the last report. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RunUsageDto)
  usage?: RunUsageDto;
}

export class HeartbeatAnswerDto {
  /** Seconds from now until the run counts as lost. */
  lease_seconds: number;
  /** Whether the agent should stop working. */
  cancel_requested: boolean;
  cancel_reason: string | null;
}

export class FinishRunDto extends FencedDto {
  @IsIn(['succeeded', 'failed'])
  status: 'succeeded' | 'failed';

  @IsOptional()
  @Text(0, 10_000)
  summary?: string;

  @IsOptional()
  @Text(0, 10_000)
  error?: string;

  /** The last 64 KiB of it are kept. */
  @IsOptional()
  @Text(0, 1_000_000)
  output?: string;

  /** What the run has used in all. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RunUsageDto)
  usage?: RunUsageDto;
}

export class ClaimDto {
  /** How long the answer may wait for work. */
  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(30)
  wait_seconds?: number;
}

export class ClaimedTaskDto {
  id: number;
  title: string;
  description: string;
  @IsIn(TASK_PRIORITIES)
  priority: TaskPriority;
  branch: string;
  tags: string[];
}

export class ClaimedRunDto {
  id: string;
  attempt: number;
  /** To be named in every heartbeat and at the end. */
  fencing_token: number;
  lease_seconds: number;
  task: ClaimedTaskDto;
  prompt: string;
}

export class ClaimAnswerDto {
  /** Null when there was nothing to do. */
  run: ClaimedRunDto | null;
}

export class StartAgentDto {
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;

  /** Told to the agent as the operator's instruction. */
  @IsOptional()
  @Text(1, 20_000)
  prompt?: string;

  /** Accepted for older clients and without effect: the agent's own runtime starts the run. */
  @IsOptional()
  @Text(0, 100)
  adapter?: string;
}

export class StartedAgentDto {
  status: 'started';
  message: string;
  agent_id: string;
  task_id: number;
  run_id: string;
}

export class PendingMessagesDto {
  agent_id: string;
  agent_name: string;
  agent_status: string;
  pending_messages: number;
}

export class IdleAgentDto {
  id: string;
  name: string;
  role: string;
  model: string;
}

export const WAITING_REASONS = [
  'starting',
  'agent_must_claim',
  'no_idle_agent',
  'over_budget',
  'not_assigned',
  'backoff',
  'blocked',
  'subtasks',
  'stopping',
  'held',
] as const;
export type WaitingReason = (typeof WAITING_REASONS)[number];

export class WaitingTaskDto {
  task_id: number;
  title: string;
  @IsIn(TASK_PRIORITIES)
  priority: TaskPriority;
  /** Place in the order of urgency, from 1; null for a held task, which has none. */
  position: number | null;
  /** Why it has not been started. */
  @IsIn(WAITING_REASONS)
  reason: WaitingReason;
  /** `backoff`: when it is tried again. */
  until: Date | null;
  hold_reason: string | null;
  last_error: string | null;
  /** Dependencies that it still waits for; one that is cancelled needs a person, unless `on_cancel` says otherwise. */
  blocked_by: DependencyDto[];
}

export class RunningTaskDto {
  run_id: string;
  task_id: number;
  title: string;
  @IsIn(TASK_STATUSES)
  task_status: TaskStatus;
  agent_id: string;
  agent_name: string;
  @IsIn(RUN_STATUSES)
  status: RunStatus;
  attempt: number;
  started_at: Date;
}

/** A question that waits for a person. */
export class PendingHumanRequestDto {
  id: number;
  agent_id: string;
  agent_name: string;
  task_id: number | null;
  kind: string;
  question: string;
  timeout_at: Date | null;
  created_at: Date;
}

export class DispatchStatusDto {
  team_id: string;
  pending_messages: PendingMessagesDto[];
  idle_agents: IdleAgentDto[];
  total_pending: number;
  total_idle: number;
  /** The first 100 waiting tasks, most urgent first, then up to 100 held ones. */
  waiting: WaitingTaskDto[];
  running: RunningTaskDto[];
  /** The first 100 questions that wait for a person, oldest first. */
  human_requests: PendingHumanRequestDto[];
}
