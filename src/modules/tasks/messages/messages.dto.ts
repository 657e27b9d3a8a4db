import { Transform, Type } from 'class-transformer';
import { IsBoolean, IsIn, IsInt, IsOptional, IsString, IsUUID, Max, MaxLength, Min } from 'class-validator';
import { Text } from '../../../http/fields.js';
import { isTrue } from '../tasks.dto.js';

export class SendMessageDto {
  /** Kept as a claim: the sender is the authenticated one. */
  @IsOptional()
  @IsUUID()
  sender_id?: string;

  @IsOptional()
  @IsIn(['agent', 'user'])
  sender_type?: 'agent' | 'user';

  @IsUUID()
  recipient_id: string;

  @IsIn(['agent', 'user'])
  recipient_type: 'agent' | 'user';

  @Text(1, 100_000)
  content: string;

  /** A task of the same team. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  task_id?: number;
}

export class InboxQuery {
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? isTrue(value) : value))
  @IsBoolean()
  unprocessed_only?: boolean;

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

export class MessageDto {
  id: number;
  team_id: string;
  /** The authenticated sender; null for the service itself. */
  sender_id: string | null;
  sender_type: 'agent' | 'user' | 'system';
  recipient_id: string;
  recipient_type: 'agent' | 'user';
  task_id: number | null;
  content: string;
  delivered_at: Date | null;
  seen_at: Date | null;
  processed_at: Date | null;
  created_at: Date;
}
