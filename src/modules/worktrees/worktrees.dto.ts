import { IsBoolean, IsIn, IsInt, IsOptional, IsUUID, Matches, Max, Min } from 'class-validator';
import { Transform, Type } from 'class-transformer';
import { QueryFlag, Text } from '../../http/fields.js';

const lowerCase = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' ? value.toLowerCase() : value;

/** Query of every route about a task in one of its team's repositories. */
export class RepositoryQuery {
  @Transform(lowerCase)
  @IsUUID()
  repo_id: string;
}

export class FileQuery extends RepositoryQuery {
  /** From the top of the repository. */
  @Text(1, 4096)
  path: string;
}

export class CommitsQuery extends RepositoryQuery {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit?: number;
}

export class PushQuery extends RepositoryQuery {
  /** A remote that the repository is configured with; default `origin`. */
  @IsOptional()
  @Matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, { message: 'remote must be the name of a remote' })
  remote?: string;

  /** Replaces what the remote has, if it is what was last pushed there (`--force-with-lease`). */
  @IsOptional()
  @QueryFlag()
  force?: boolean;
}

/** Where a task is worked on in a repository. */
export class WorktreeDto {
  path: string;
  branch: string;
  exists: boolean;
  repo_path: string;
  repo_name: string;
}

export class RemovedDto {
  removed: boolean;
}

export class DiffDto {
  /** Of the branch against where it left the default branch; what is not committed is not in it. */
  diff: string;
  /** There was more. */
  @IsBoolean()
  truncated: boolean;
}

export class ChangedFileDto {
  path: string;
  @IsIn(['A', 'M', 'D', 'R'])
  status: 'A' | 'M' | 'D' | 'R';
  /** Lines; 0 of a binary file. */
  additions: number;
  deletions: number;
  binary: boolean;
  /** Where a renamed file was before. */
  old_path?: string;
}

export class FileDto {
  path: string;
  content: string;
  /** `base64` for what is no text. */
  @IsIn(['utf-8', 'base64'])
  encoding: 'utf-8' | 'base64';
  size: number;
  truncated: boolean;
}

export class CommitDto {
  hash: string;
  author_name: string;
  author_email: string;
  message: string;
  date: string;
}

export class PushedDto {
  pushed: boolean;
  branch: string;
}
