import { json, type NextFunction, type Request, type Response } from 'express';
import { DomainError } from '../errors/domain-error.js';
import { isTooDeep, MAX_JSON_DEPTH } from './json-depth.js';

const LIMIT = '2mb';
const parse = json({
  limit: LIMIT,
  strict: false,
  verify: (_request, _response, body) => {
    if (isTooDeep(body)) throw new Error('too deep');
  },
});

/** Parses a JSON body of a management route; what is wrong with it becomes an error of ours before Nest sees it. */
export function parseJsonBody(request: Request, response: Response, next: NextFunction): void {
  parse(request, response, (error?: unknown) => next(error === undefined ? undefined : faultOf(error)));
}

/** Errors of Express's parsers carry a `type`. */
function faultOf(error: unknown): unknown {
  switch ((error as { type?: unknown }).type) {
    case 'entity.parse.failed':
      return new DomainError('validation_failed', 'The body is not valid JSON');
    case 'entity.verify.failed':
      return new DomainError(
        'validation_failed',
        `The body is nested more than ${MAX_JSON_DEPTH} levels deep`,
      );
    case 'entity.too.large':
      return new DomainError('payload_too_large', 'The body is larger than 2 MB');
    case 'charset.unsupported':
    case 'encoding.unsupported':
      return new DomainError(
        'unsupported_media_type',
        'The body comes in an unsupported charset or encoding',
      );
    default:
      return error;
  }
}
