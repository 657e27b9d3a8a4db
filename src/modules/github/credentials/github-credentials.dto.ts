import { Type } from 'class-transformer';
import { IsInt, IsOptional, Max, Min, ValidateNested } from 'class-validator';
import { Text } from '../../../http/fields.js';
import { type CredentialKind } from './github-credential.entity.js';

export class GithubAppDto {
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  app_id: number;

  /** PEM, as GitHub gives it for download. */
  @Text(1, 20_000)
  private_key: string;

  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  installation_id: number;
}

/** Either a token or an App. */
export class PutGithubCredentialsDto {
  /** Personal access token, classic or fine-grained. */
  @IsOptional()
  @Text(1, 1_000)
  token?: string | null;

  @IsOptional()
  @ValidateNested()
  @Type(() => GithubAppDto)
  app?: GithubAppDto | null;

  /** Of the REST API; of GitHub Enterprise Server `https://<host>/api/v3`. Default `https://api.github.com`. */
  @IsOptional()
  @Text(1, 2_000)
  base_url?: string | null;
}

export class GithubCredentialsDto {
  org_id: string;
  kind: CredentialKind;
  /** Last four characters of the token. */
  hint: string | null;
  app_id: number | null;
  installation_id: number | null;
  base_url: string;
  /** Who we are on GitHub, once it has told. */
  login: string | null;
  last_checked_at: Date | null;
  /** Why GitHub does not take the credentials. */
  last_error: string | null;
  /** GitHub has limited the rate of calls: nothing is sent before. */
  paused_until: Date | null;
  created_at: Date;
  updated_at: Date;
}

export class RateLimitDto {
  limit: number;
  remaining: number;
  resets_at: Date;
}

export class GithubTestDto {
  ok: boolean;
  login: string | null;
  /** Of a classic token. */
  scopes?: string[];
  rate_limit?: RateLimitDto;
  error?: string;
}
