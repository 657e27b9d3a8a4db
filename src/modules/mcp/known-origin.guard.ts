import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type Request } from 'express';
import { ResolvedSettings } from '../../config/settings.js';
import { DomainError } from '../../errors/domain-error.js';

/**
 * Refuses pages of foreign origins: a browser can be made to believe that a name of theirs is this server's (DNS
 * rebinding). Whoever is no browser sends no Origin.
 */
@Injectable()
export class KnownOriginGuard implements CanActivate {
  private readonly known: string[];

  constructor({ ENTOURAGE_CORS_ORIGINS, ENTOURAGE_PUBLIC_URL }: ResolvedSettings) {
    this.known = [
      ...ENTOURAGE_CORS_ORIGINS,
      ...(ENTOURAGE_PUBLIC_URL === undefined ? [] : [new URL(ENTOURAGE_PUBLIC_URL).origin]),
    ];
  }

  canActivate(context: ExecutionContext): boolean {
    const origin = context.switchToHttp().getRequest<Request>().get('origin');
    if (origin === undefined || this.known.includes(origin)) return true;
    throw new DomainError(
      'forbidden',
      'Pages of this origin may not call: it is not in ENTOURAGE_CORS_ORIGINS',
    );
  }
}
