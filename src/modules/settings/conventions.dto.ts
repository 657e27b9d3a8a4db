import { PickType, PartialType } from '@nestjs/swagger';
import { IsBoolean, IsOptional, Matches } from 'class-validator';
import { Text } from '../../http/fields.js';

export class CreateConventionDto {
  /** Unique in the team; it is part of a URL. */
  @Matches(/^[A-Za-z0-9][A-Za-z0-9._~-]*$/, {
    message: 'key must be letters, digits, and . _ ~ - after the first',
  })
  @Text(1, 100)
  key: string;

  @Text(1, 4_000)
  content: string;

  /** Whether agents are told of it; default true. */
  @IsOptional()
  @IsBoolean()
  active?: boolean;
}

/** What is left out, or null, stays as it is. */
export class UpdateConventionDto extends PartialType(PickType(CreateConventionDto, ['content', 'active'])) {}

export class ConventionDto {
  key: string;
  content: string;
  active: boolean;
}

export class DeletedConventionDto {
  deleted: true;
  key: string;
}
