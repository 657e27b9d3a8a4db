import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import {
  IsBoolean,
  IsObject,
  IsString,
  MaxLength,
  MinLength,
  registerDecorator,
  type ValidationArguments,
} from 'class-validator';

/** PostgreSQL's text holds neither U+0000 nor half a surrogate pair. */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

const MAX_JSON_CHARS = 65_536;
const MAX_JSON_DEPTH = 32;

function isStorableJson(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return isStorable(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= MAX_JSON_DEPTH) return false;
  return Object.entries(value).every(([key, part]) => isStorable(key) && isStorableJson(part, depth + 1));
}

const check = (name: string, message: string, validate: (value: unknown) => boolean): PropertyDecorator => {
  return (target, property) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate,
        defaultMessage: ({ property: field }: ValidationArguments) => `${field} ${message}`,
      },
    });
};

/** A string of `min` to `max` characters that can be stored as it is. */
export const Text = (min: number, max: number): PropertyDecorator =>
  applyDecorators(
    ApiProperty({ type: String, minLength: min, maxLength: max }),
    check(
      'isStorable',
      'must not hold null characters or unpaired surrogates',
      (value) => typeof value !== 'string' || isStorable(value),
    ),
    MaxLength(max),
    MinLength(min),
    IsString(),
  );

/** A free-form JSON object, bounded in size. */
export const JsonObject = (): PropertyDecorator =>
  applyDecorators(
    ApiProperty({ type: 'object', additionalProperties: true }),
    check(
      'isStorableJson',
      `must be JSON of at most ${MAX_JSON_CHARS} characters and ${MAX_JSON_DEPTH} levels, without null characters`,
      (value) => isStorableJson(value) && JSON.stringify(value ?? null).length <= MAX_JSON_CHARS,
    ),
    IsObject(),
  );

/** A yes or no in a query: `true`, `True`, `1`, `false`, … */
export const QueryFlag = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' && /^(true|1|false|0)$/i.test(value) ? /^(true|1)$/i.test(value) : value,
    ),
    IsBoolean(),
  );
