import { type ErrorCode } from './error-codes.js';

/** One fault of one field of a request: `field` is a dotted path (`tasks.0.title`). */
export interface FieldError {
  field: string;
  message: string;
}

/**
 * The only error that services throw on purpose. `detail` is shown to the caller: it never holds a secret, a query or
 * another tenant's data.
 */
export class DomainError extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    readonly extra: { errors?: FieldError[]; headers?: Record<string, string> } = {},
  ) {
    super(`${code}: ${detail}`);
    this.name = 'DomainError';
  }
}

/** A 422 with an entry for each field that is wrong. */
export const validationFailed = (errors: FieldError[]): DomainError =>
  new DomainError('validation_failed', `Validation failed: ${errors.map(({ field }) => field).join(', ')}`, {
    errors,
  });
