import { Type } from 'class-transformer';
import { IsArray, IsDate, IsIn, IsInt, IsOptional, IsString, MaxLength, Min } from 'class-validator';
import { PageQuery } from '../../http/pagination.js';
import { OUTBOUND_STATUSES, type OutboundStatus } from './outbound-delivery.entity.js';

/** What can be recovered: what failed for good, and what was kept back while the webhook was disabled. */
export const RECOVERABLE = ['failed', 'suppressed'] as const;

export class OutboundDeliveriesQuery extends PageQuery {
  @IsOptional()
  @IsIn(OUTBOUND_STATUSES)
  status?: OutboundStatus;

  /** `task.completed`, …, `webhook.test`. */
  @IsOptional()
  @IsString()
  @MaxLength(100)
  event?: string;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  task_id?: number;

  /** Made from this moment on. */
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  since?: Date;

  /** Made before this moment. */
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  until?: Date;
}

export class OutboundDeliveryDto {
  /** Sent as `webhook-id` and `X-Entourage-Delivery`, the same at every attempt. */
  id: string;
  /** Of the outbound webhook. */
  webhook_id: string;
  event: string;
  team_id: string | null;
  task_id: number | null;
  sequence: number | null;
  status: OutboundStatus;
  attempts: number;
  /** When it is tried next; null when it is not, or another of its task goes first. */
  next_attempt_at: Date | null;
  /** HTTP status of the last answer. */
  response_status: number | null;
  /** Stable code of what went wrong last. */
  error: string | null;
  correlation_id: string;
  created_at: Date;
  finished_at: Date | null;
}

export class OutboundAttemptDto {
  attempt: number;
  outcome: 'succeeded' | 'failed' | 'lost';
  started_at: Date;
  duration_ms: number | null;
  response_status: number | null;
  response_body: string | null;
  response_truncated: boolean;
  error: string | null;
  detail: string | null;
  /** When the next attempt was due by then. */
  retry_at: Date | null;
}

export class OutboundDeliveryDetailDto extends OutboundDeliveryDto {
  /** The bytes that are sent, as text. */
  body: string;
  /** The last hundred, oldest first. */
  attempt_log: OutboundAttemptDto[];
}

export class OutboundTestDto extends OutboundDeliveryDetailDto {
  /** Whether the receiver answered 2xx. */
  ok: boolean;
}

export class RecoverDto {
  /** Deliveries made from this moment on; at most 14 days before `until`. */
  @Type(() => Date)
  @IsDate()
  since: Date;

  /** Left out: now. */
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  until?: Date | null;

  /** Left out: both. */
  @IsOptional()
  @IsArray()
  @IsIn(RECOVERABLE, { each: true })
  status?: ('failed' | 'suppressed')[] | null;
}

export class RecoveredDto {
  /** How many are sent again, with a schedule of their own. */
  recovered: number;
  /** Whether there are more: call again. */
  more: boolean;
}
