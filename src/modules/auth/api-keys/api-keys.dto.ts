import { ArrayNotEmpty, IsArray, IsIn, IsInt, IsOptional, IsUUID, Max, Min } from 'class-validator';
import { Type } from 'class-transformer';
import { Text } from '../../../http/fields.js';
import { API_KEY_SCOPES, type ApiKeyScope } from '../api-key.entity.js';

export class CreateApiKeyDto {
  @Text(1, 100)
  name: string;

  /** What the key may do; default `all`. */
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @IsIn(API_KEY_SCOPES, { each: true })
  scopes?: ApiKeyScope[];

  /** Days until the key expires; 0 or nothing: never. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(36_500)
  expires_days?: number;

  /** Makes it this agent's key: it reaches the agent's team only and acts only as the agent. */
  @IsOptional()
  @IsUUID()
  agent_id?: string;
}

export class ApiKeyDto {
  id: string;
  name: string;

  /** First ten characters of the key. */
  prefix: string;
  scopes: ApiKeyScope[];
  agent_id: string | null;

  /** Exact to a minute. */
  last_used_at: Date | null;
  created_at: Date;
  expires_at: Date | null;
}

export class CreatedApiKeyDto extends ApiKeyDto {
  /** The key itself: shown now and never again. */
  key: string;
}
