import { OmitType } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsUUID, Matches, Max, Min } from 'class-validator';
import { Text } from '../../http/fields.js';
import { REVIEWER_TYPES, type ReviewerType, type Verdict, VERDICTS } from './review.entity.js';

const lowerCase = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' ? value.toLowerCase() : value;

class CommitDto {
  /** The commit that is reviewed: 7 to 64 hexadecimal digits. */
  @IsOptional()
  @Transform(lowerCase)
  @Matches(/^[0-9a-f]{7,64}$/, { message: 'commit must be 7 to 64 hexadecimal digits' })
  commit?: string;
}

export class RequestReviewDto extends CommitDto {
  /** Who is asked; without one, an idle agent with the role `reviewer`, if there is one. */
  @IsOptional()
  @IsUUID()
  reviewer_id?: string;

  /** What `reviewer_id` is; `user` unless said. */
  @IsOptional()
  @IsIn(REVIEWER_TYPES)
  reviewer_type?: ReviewerType;
}

export class GiveVerdictDto extends CommitDto {
  @IsIn(VERDICTS)
  verdict: Verdict;

  @IsOptional()
  @Text(0, 20_000)
  summary?: string;

  /** Kept as a claim: the reviewer is the authenticated one. */
  @IsOptional()
  @IsUUID()
  reviewer_id?: string;

  /** `agent` says that the verdict is an agent's, whoever brings it; `user` changes nothing. */
  @IsOptional()
  @IsIn(REVIEWER_TYPES)
  reviewer_type?: ReviewerType;
}

export class ApproveDto extends OmitType(GiveVerdictDto, ['verdict']) {
  @IsOptional()
  @IsIn(['approve'])
  verdict?: 'approve';
}

export class RejectDto extends OmitType(GiveVerdictDto, ['verdict']) {
  @IsOptional()
  @IsIn(['reject', 'request_changes'])
  verdict?: 'reject' | 'request_changes';
}

export class AddCommentDto {
  /** Kept as a claim: the author is the authenticated one. */
  @IsOptional()
  @IsUUID()
  author_id?: string;

  @IsOptional()
  @IsIn(REVIEWER_TYPES)
  author_type?: ReviewerType;

  @Text(1, 20_000)
  content: string;

  @IsOptional()
  @Text(1, 1_000)
  file_path?: string;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(2_147_483_647)
  line_number?: number;
}

export class ReviewCommentDto {
  id: number;
  review_id: number;
  /** The authenticated user, agent or key. */
  author_id: string | null;
  @IsIn(REVIEWER_TYPES)
  author_type: ReviewerType;
  file_path: string | null;
  line_number: number | null;
  content: string;
  created_at: Date;
}

export class ReviewDto {
  id: number;
  task_id: number;
  /** 1 for the task's first. */
  attempt: number;
  /** Who is asked for the verdict, or anybody; from the verdict on, who gave it. */
  reviewer_id: string | null;
  @IsIn(REVIEWER_TYPES)
  reviewer_type: ReviewerType;
  commit: string | null;
  @IsIn(VERDICTS)
  verdict: Verdict | null;
  summary: string | null;
  created_at: Date;
  resolved_at: Date | null;
  comments: ReviewCommentDto[];
}
