import { Type } from 'class-transformer';
import { IsDate, IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { PageQuery } from '../../http/pagination.js';
import { DELIVERY_STATUSES, type DeliveryStatus } from './delivery.entity.js';

export const MAX_DELIVERIES_PAGE = 200;

export class DeliveriesQuery extends PageQuery {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_DELIVERIES_PAGE)
  declare limit?: number;

  @IsOptional()
  @IsIn(DELIVERY_STATUSES)
  status?: DeliveryStatus;

  /** `issues.opened`, or `issues` for all its actions. */
  @IsOptional()
  @IsString()
  @MaxLength(200)
  event?: string;

  /** From this moment on. */
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  since?: Date;

  /** Before this moment. */
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  until?: Date;
}

export class DeliveryDto {
  id: string;
  webhook_id: string;
  guid: string;
  event_type: string;
  status: DeliveryStatus;
  /** Stable code of why it had no effect or failed. */
  reason: string | null;
  error: string | null;
  payload_summary: Record<string, unknown>;
  actions: string[];
  task_id: number | null;
  attempts: number;
  /** How often the same GUID came again. */
  duplicates: number;
  body_size: number;
  correlation_id: string;
  created_at: Date;
  processed_at: Date | null;
}

export class DeliveryDetailDto extends DeliveryDto {
  /** The body as parsed JSON; as text when it is not JSON, and then with every byte that is no UTF-8 replaced. */
  payload: unknown;
  /** Whether `payload` is only the beginning: bodies without a valid signature are not kept whole. */
  payload_truncated: boolean;
  headers: Record<string, string>;
}
