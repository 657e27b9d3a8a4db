import { PartialType, PickType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { QueryFlag } from '../../http/fields.js';
import { PageQuery } from '../../http/pagination.js';
import { RepairReportDto } from './repair-report.dto.js';
import { type WebhookConfig } from './webhook-config.js';
import { WEBHOOK_PROVIDERS, type WebhookProvider } from './webhook.entity.js';

const MAX_GRACE_SECONDS = 7 * 24 * 3600;

export class CreateWebhookDto {
  @IsUUID()
  org_id: string;

  @IsString()
  @Length(1, 100)
  name: string;

  /** The team that tasks are created for; without it events are logged and nothing is created. */
  @IsOptional()
  @IsUUID()
  team_id?: string | null;

  @IsOptional()
  @IsIn(WEBHOOK_PROVIDERS)
  provider?: WebhookProvider;

  /** `issues`, `issues.opened`, `issues.*`, `*`, …; left out: `issues` and `pull_request`. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(300)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  events?: string[] | null;

  /** See the README for its keys; any other key is refused. */
  @IsOptional()
  @IsObject()
  config?: Record<string, unknown> | null;

  @IsOptional()
  @IsBoolean()
  active?: boolean | null;
}

/** What is left out, or null, stays as it is; `config` is replaced as a whole. */
export class UpdateWebhookDto extends PartialType(
  PickType(CreateWebhookDto, ['name', 'team_id', 'events', 'active', 'config']),
) {}

export class RegenerateSecretDto {
  /** How long the old secret stays valid beside the new one: 0 (at once) to 7 days. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MAX_GRACE_SECONDS)
  grace_period_seconds?: number | null;
}

export class WebhooksQuery extends PageQuery {
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

export class WebhookWarningDto {
  code: string;
  message: string;
}

export class WebhookHealthDto {
  status: 'ok' | 'warning';
  warnings: WebhookWarningDto[];
  last_delivery_at: Date | null;
  last_ping_at: string | null;
  /** The last check for deliveries that GitHub could not make; null when there was none. */
  repair: RepairReportDto | null;
}

export class WebhookDto {
  id: string;
  org_id: string;
  team_id: string | null;
  name: string;
  provider: WebhookProvider;
  events: string[];
  active: boolean;
  config: WebhookConfig;
  /** Last four characters of the secret. */
  secret_hint: string;
  /** Only in the answers of create and regenerate-secret. */
  secret?: string;
  /** Until when the secret before the last planned change is still accepted. */
  previous_secret_expires_at: Date | null;
  /** Where GitHub sends to; a path when ENTOURAGE_PUBLIC_URL is not set. */
  receive_url: string;
  health: WebhookHealthDto;
  created_at: Date;
  updated_at: Date;
}

export class WebhookDeletedDto {
  deleted: true;
}
