import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsString, MaxLength, MinLength, Validate } from 'class-validator';
import { ValidatorConstraint, type ValidatorConstraintInterface } from 'class-validator';
import { isStorable } from '../../http/fields.js';

/** Of any task, from GitHub's labels or by hand. */
export const MAX_TAGS = 50;
export const MAX_TAG = 100;

@ValidatorConstraint({ name: 'isStorable' })
class StorableEach implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return !Array.isArray(value) || value.every((tag) => typeof tag !== 'string' || isStorable(tag));
  }

  defaultMessage(): string {
    return 'tags must not hold null characters or unpaired surrogates';
  }
}

/** At most 50 tags of 1 to 100 characters. */
export const Tags = (): PropertyDecorator =>
  applyDecorators(
    ApiProperty({ type: [String], maxItems: MAX_TAGS }),
    IsArray(),
    ArrayMaxSize(MAX_TAGS),
    IsString({ each: true }),
    MinLength(1, { each: true }),
    MaxLength(MAX_TAG, { each: true }),
    Validate(StorableEach),
  );
