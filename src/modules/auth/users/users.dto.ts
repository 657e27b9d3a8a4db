import { Transform } from 'class-transformer';
import { IsEmail } from 'class-validator';
import { Text } from '../../../http/fields.js';
import { type ApiKeyScope } from '../api-key.entity.js';
import { normalizeEmail } from './normalize-email.js';

const MAX_EMAIL = 254;
const MAX_PASSWORD = 1024;

export class RegisterDto {
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? normalizeEmail(value) : value))
  @IsEmail({ require_tld: false })
  @Text(3, MAX_EMAIL)
  email: string;

  @Text(1, 200)
  name: string;

  /** At least 8 characters. */
  @Text(8, MAX_PASSWORD)
  password: string;
}

export class LoginDto {
  @Text(1, 1024)
  email: string;

  @Text(1, MAX_PASSWORD)
  password: string;
}

export class RefreshDto {
  @Text(1, 4096)
  refresh_token: string;
}

export class RegisteredUser {
  id: string;
  email: string;
  name: string;
  created_at: Date;
}

export class TokenPairDto {
  /** For `Authorization: Bearer`; lasts 60 minutes. */
  access_token: string;

  /** For one call of `/auth/refresh`; lasts 30 days. */
  refresh_token: string;

  token_type: 'bearer';
}

/** A user (`email`, `name`) or an API key (`org_id`, `scopes`, and for an agent's key its `agent_id` and `team_id`). */
export class WhoAmI {
  type: 'user' | 'api_key';
  id?: string;
  email?: string;
  name?: string;
  org_id?: string;
  scopes?: ApiKeyScope[];
  agent_id?: string | null;
  team_id?: string | null;
}
