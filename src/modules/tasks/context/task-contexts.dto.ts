import { ApiProperty } from '@nestjs/swagger';
import { IsDefined, ValidateIf } from 'class-validator';
import { Text } from '../../../http/fields.js';

export class SaveContextDto {
  @Text(1, 200)
  key: string;

  /** Any JSON value of at most 256 kB. */
  @ApiProperty({ required: true })
  @ValidateIf((_, value) => value !== null)
  @IsDefined()
  value: unknown;
}

export class ContextSavedDto {
  key: string;

  @ApiProperty({})
  value: unknown;

  saved: true;
}

export class TaskContextDto {
  task_id: number;

  /** Value by key. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  context: Record<string, unknown>;
}
