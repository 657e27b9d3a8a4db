import { Transform } from 'class-transformer';
import { IsBoolean, IsOptional, IsUUID } from 'class-validator';
import { Text } from '../../http/fields.js';

export class OpenPullRequestDto {
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.toLowerCase() : value))
  @IsUUID()
  repo_id: string;

  /** Default: the task's. */
  @IsOptional()
  @Text(1, 256)
  title?: string;

  /** Default: which task it is. */
  @IsOptional()
  @Text(0, 65_536)
  body?: string;

  @IsOptional()
  @IsBoolean()
  draft?: boolean;

  /** Default: the repository's default branch. */
  @IsOptional()
  @Text(1, 200)
  base_branch?: string;
}

export class PullRequestDto {
  pr_url: string;
  pr_number: number;
}
