import { Injectable, type PipeTransform, ValidationPipe } from '@nestjs/common';
import { type ValidationError } from 'class-validator';
import { type DomainError, type FieldError, validationFailed } from '../errors/domain-error.js';

const MAX_ID = Number.MAX_SAFE_INTEGER;

function fieldErrors(faults: ValidationError[], path = ''): FieldError[] {
  return faults.flatMap((fault) => {
    const field = path === '' ? fault.property : `${path}.${fault.property}`;
    const [message] = Object.values(fault.constraints ?? {});
    return [
      ...(message === undefined ? [] : [{ field, message }]),
      ...fieldErrors(fault.children ?? [], field),
    ];
  });
}

/** Checks bodies and queries against their DTO: unknown fields are dropped, each fault is one entry of a 422. */
export const validationPipe = (): ValidationPipe =>
  new ValidationPipe({
    transform: true,
    whitelist: true,
    exceptionFactory: (faults) => validationFailed(fieldErrors(faults)),
  });

const invalid = (field: string, message: string): DomainError => validationFailed([{ field, message }]);

/** A uuid in a path. */
@Injectable()
export class UuidPipe implements PipeTransform<string, string> {
  transform(value: string, { data }: { data?: string }): string {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value))
      throw invalid(data ?? 'id', 'must be a uuid');
    return value.toLowerCase();
  }
}

/** An integer id in a path. */
@Injectable()
export class IntIdPipe implements PipeTransform<string, number> {
  transform(value: string, { data }: { data?: string }): number {
    const id = Number(value);
    if (!/^\d{1,16}$/.test(value) || id < 1 || id > MAX_ID)
      throw invalid(data ?? 'id', 'must be a positive integer');
    return id;
  }
}
