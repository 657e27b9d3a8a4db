import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Request, type Response } from 'express';
import { Authenticator } from './authenticator.js';
import { AGENT_ROUTE, ANY_SCOPE, PUBLIC } from './decorators.js';
import { type Identity } from './identity.js';
import { assertScope } from './permissions.js';
import { RATE_LIMITED } from './rate-limits/rate-limited.js';
import { RateLimiter } from './rate-limits/rate-limiter.js';

/**
 * Stands before every route: a route without `@Public()` is reached with a credential that may use it, or not at all.
 * Whoever fails to authenticate is counted too, before being told so.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly limiter: RateLimiter,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const marked = (mark: string): boolean =>
      this.reflector.getAllAndOverride<boolean | undefined>(mark, [
        context.getHandler(),
        context.getClass(),
      ]) ?? false;
    if (marked(PUBLIC)) return !marked(RATE_LIMITED) || this.limiter.canActivate(context);
    const http = context.switchToHttp();
    const request = http.getRequest<Request & { user?: Identity }>();
    try {
      request.user = await this.authenticator.authenticate(request, http.getResponse<Response>());
    } finally {
      await this.limiter.canActivate(context);
    }
    if (!marked(ANY_SCOPE)) assertScope(request.user, request.method, marked(AGENT_ROUTE));
    return true;
  }
}
