import { IsOptional } from 'class-validator';
import { JsonObject, Text } from '../../http/fields.js';

export class CreateRepositoryDto {
  /** Unique in the team. */
  @Text(1, 100)
  name: string;

  /** A git working tree under the server's ENTOURAGE_REPOS_DIR. */
  @Text(1, 4096)
  local_path: string;

  /** Default `main`. */
  @IsOptional()
  @Text(1, 255)
  default_branch?: string;

  @IsOptional()
  @JsonObject()
  config?: Record<string, unknown>;
}

export class ValidateRepositoryDto {
  @Text(1, 4096)
  local_path: string;
}

export class RepositoryDto {
  id: string;
  team_id: string;
  name: string;
  local_path: string;
  default_branch: string;
  config: Record<string, unknown>;
  created_at: Date;
}

export class RepositoryVerdictDto {
  valid: boolean;
  default_branch?: string | null;

  /** Null when HEAD is detached. */
  current_branch?: string | null;
  is_dirty: boolean;
  remote_url?: string | null;
  error?: string;
}

export class FoundRepositoryDto {
  name: string;
  path: string;
  default_branch: string | null;
  remote_url: string | null;
  is_dirty: boolean;
}
