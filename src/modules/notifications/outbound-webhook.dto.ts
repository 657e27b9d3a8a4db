import { PartialType, PickType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { QueryFlag, Text } from '../../http/fields.js';
import { PageQuery } from '../../http/pagination.js';

const MAX_GRACE_SECONDS = 7 * 24 * 3600;

export class CreateOutboundWebhookDto {
  @IsUUID()
  org_id: string;

  /** Only tasks of this team; left out, those of every team. */
  @IsOptional()
  @IsUUID()
  team_id?: string | null;

  /** http or https, without user and password. Must not lead to a private address. */
  @Text(1, 2048)
  url: string;

  /** `task.completed`, …; `*` for all. */
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  events: string[];

  /** Sent as `X-API-Key`. */
  @IsOptional()
  @Matches(/^[\x21-\x7e]*$/, { message: 'api_key must be printable ASCII without spaces' })
  @Text(0, 500)
  api_key?: string | null;

  @IsOptional()
  @Text(0, 500)
  description?: string | null;

  @IsOptional()
  @IsBoolean()
  active?: boolean | null;

  /** Calls under way at once. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  max_concurrency?: number | null;

  /** Calls begun per second. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(10_000)
  rate_per_second?: number | null;
}

/** What is left out, or null, stays as it is; an empty `api_key` takes the key away. */
export class UpdateOutboundWebhookDto extends PartialType(
  PickType(CreateOutboundWebhookDto, [
    'url',
    'events',
    'api_key',
    'description',
    'active',
    'max_concurrency',
    'rate_per_second',
  ]),
) {}

export class RegenerateOutboundSecretDto {
  /** How long the old secret signs beside the new one: 0 (not at all) to 7 days; a day when left out. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MAX_GRACE_SECONDS)
  grace_period_seconds?: number | null;
}

export class OutboundWebhooksQuery extends PageQuery {
  @IsOptional()
  @IsUUID()
  org_id?: string;

  @IsOptional()
  @IsUUID()
  team_id?: string;

  @IsOptional()
  @QueryFlag()
  active_only?: boolean;
}

export class PreviousSecretDto {
  hint: string;
  expires_at: string;
}

export class OutboundHealthDto {
  /**
   * `ok`; `failing`: the last call failed; `paused`: too many failed, so that calls wait until `paused_until`;
   * `disabled`.
   */
  status: 'ok' | 'failing' | 'paused' | 'disabled';
  paused_until: Date | null;
  /** Since when no call has succeeded. */
  failing_since: Date | null;
  /** When it is disabled if that goes on. */
  disabled_from: Date | null;
  last_success_at: Date | null;
  last_failure_at: Date | null;
  /** Stable code. */
  last_error: string | null;
}

export class OutboundWebhookDto {
  id: string;
  org_id: string;
  team_id: string | null;
  /** The values of its query are hidden. */
  url: string;
  description: string;
  events: string[];
  active: boolean;
  /** `gone` (answered 410), `failing` (for five days), `receiver_asked`; null when active or switched off by hand. */
  disabled_reason: string | null;
  disabled_at: Date | null;
  /** Last four characters of the secret. */
  secret_hint: string;
  secret_created_at: Date;
  /** Only in the answers of create and regenerate-secret. */
  secret?: string;
  /** Secrets that were replaced and still sign. */
  previous_secrets: PreviousSecretDto[];
  /** Last four characters of the API key; empty for a short one; null without one. */
  api_key_hint: string | null;
  max_concurrency: number;
  rate_per_second: number;
  health: OutboundHealthDto;
  created_at: Date;
  updated_at: Date;
}
