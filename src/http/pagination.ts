import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { type Request, type Response } from 'express';
import { map, type Observable } from 'rxjs';
import { DomainError } from '../errors/domain-error.js';

export const MAX_PAGE = 500;

/** Query of every list: how many rows (1 to 500) and, from the `Link` header of the page before, where to go on. */
export class PageQuery {
  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: MAX_PAGE, description: 'Rows of a page' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_PAGE)
  limit?: number;

  @ApiPropertyOptional({ type: String, description: 'Of the `Link` header of the page before' })
  @IsOptional()
  @IsString()
  cursor?: string;
}

/** What a list's service returns: the rows of this page and the position of the next, if there is one. */
export class Page<T> {
  constructor(
    readonly items: T[],
    readonly next: string | null,
  ) {}

  /** Cuts a page out of `rows`, which the query fetched with one row more than `limit`. */
  static of<T>(rows: T[], limit: number, position: (row: T) => unknown[]): Page<T> {
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    return new Page(items, rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null);
  }

  map<U>(convert: (row: T) => U): Page<U> {
    return new Page(this.items.map(convert), this.next);
  }
}

export const encodeCursor = (position: unknown[]): string =>
  Buffer.from(JSON.stringify(position)).toString('base64url');

/**
 * The sort position a cursor stands for.
 * @throws DomainError `invalid_cursor` for anything but an array of `length` strings and numbers.
 */
export function decodeCursor(cursor: string | undefined, length: number): (string | number)[] | null {
  if (cursor === undefined) return null;
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (
      Array.isArray(position) &&
      position.length === length &&
      position.every((part) => typeof part === 'string' || typeof part === 'number')
    )
      return position;
  } catch {
    // falls through to the error below
  }
  throw invalidCursor();
}

export const invalidCursor = (): DomainError =>
  new DomainError('invalid_cursor', 'The cursor is not one this list has given out');

/** Answers a `Page` as a bare array, its next position in a `Link` header (RFC 8288). */
@Injectable()
export class PageInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map((result: unknown) => {
        if (!(result instanceof Page)) return result;
        if (result.next !== null) {
          const request = context.switchToHttp().getRequest<Request>();
          const url = new URL(request.originalUrl, 'http://localhost');
          url.searchParams.set('cursor', result.next);
          context
            .switchToHttp()
            .getResponse<Response>()
            .setHeader('Link', `<${url.pathname}${url.search}>; rel="next"`);
        }
        return result.items as unknown;
      }),
    );
  }
}
