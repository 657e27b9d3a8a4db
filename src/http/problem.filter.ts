import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { ThrottlerException } from '@nestjs/throttler';
import { type Request, type Response } from 'express';
import { STATUS_CODES } from 'node:http';
import { DomainError } from '../errors/domain-error.js';
import { ERROR_CODES, type ErrorCode } from '../errors/error-codes.js';
import { isDatabaseUnavailable, isUnstorableText } from '../errors/database-errors.js';
import { allowedMethods } from './allowed-methods.js';
import { requestContext } from './request-context.js';

const CODE_OF_STATUS: Record<number, ErrorCode> = {
  400: 'bad_request',
  401: 'authentication_required',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  422: 'validation_failed',
  429: 'rate_limited',
  503: 'service_unavailable',
};

/** The body of a failure (RFC 9457). */
export function problemJson({ code, detail, extra: { errors } }: DomainError): string {
  const status = ERROR_CODES[code];
  return JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail,
    code,
    ...(errors ? { errors } : {}),
    request_id: requestContext()?.request_id ?? null,
  });
}

/** Answers every failure as problem+json (RFC 9457). What nobody foresaw is a 500 without detail, logged with it. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const problem = this.toProblem(error, request);
    const status = ERROR_CODES[problem.code];
    if (problem.code === 'internal_error') this.logger.error({ err: error }, 'unexpected error');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (status === 401 && problem.code !== 'invalid_signature')
      response.setHeader('WWW-Authenticate', 'Bearer');
    for (const [name, value] of Object.entries(problem.extra.headers ?? {})) response.setHeader(name, value);
    response.status(status).type('application/problem+json').send(problemJson(problem));
  }

  private toProblem(error: unknown, request: Request): DomainError {
    if (error instanceof DomainError) return error;
    if (error instanceof ThrottlerException)
      return new DomainError('rate_limited', 'Rate limit exceeded. Try again later.');
    if (error instanceof HttpException) {
      const status = error.getStatus();
      if (status === 404 && error.message.startsWith('Cannot ')) {
        const allowed = allowedMethods(request);
        return allowed.length > 0
          ? new DomainError('method_not_allowed', 'Method Not Allowed', {
              headers: { Allow: allowed.join(', ') },
            })
          : new DomainError('not_found', 'Not Found');
      }
      return new DomainError(
        CODE_OF_STATUS[status] ?? (status < 500 ? 'bad_request' : 'internal_error'),
        error.message,
      );
    }
    if (isDatabaseUnavailable(error))
      return new DomainError('service_unavailable', 'The database is not available; try again soon', {
        headers: { 'Retry-After': '2' },
      });
    if (isUnstorableText(error))
      return new DomainError(
        'validation_failed',
        'The request holds a null character or an unpaired surrogate, which cannot be stored',
      );
    return new DomainError('internal_error', 'Internal Server Error');
  }
}
