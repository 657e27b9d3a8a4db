import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { normalizeIp, ThrottlerGuard, type ThrottlerLimitDetail } from '@nestjs/throttler';
import { type Request, type Response } from 'express';
import { createHash } from 'node:crypto';
import { ResolvedSettings } from '../../../config/settings.js';
import { DomainError } from '../../../errors/domain-error.js';
import { isInProcess } from '../../../http/in-process.js';
import { PUBLIC } from '../decorators.js';
import { type Identity } from '../identity.js';
import { normalizeEmail } from '../users/normalize-email.js';
import { BoundedCounters } from './bounded-counters.js';
import { RATE_LIMITED } from './rate-limited.js';

const MINUTE_MS = 60_000;

/**
 * How much each caller may ask: per credential, per address where there is none that is valid. Called by the guard, not
 * a guard of its own, since it comes between finding out who calls and refusing whom it is not. Counts are this
 * process's: with several, each allows the whole limit.
 */
@Injectable()
export class RateLimiter extends ThrottlerGuard {
  /** Named, since the decorators of the parent's parameters would count here otherwise. */
  constructor(@Inject(ResolvedSettings) settings: ResolvedSettings, @Inject(Reflector) reflector: Reflector) {
    const kind = (context: ExecutionContext): 'caller' | 'login' | undefined => {
      const targets = [context.getHandler(), context.getClass()];
      return (
        reflector.getAllAndOverride<'caller' | 'login' | undefined>(RATE_LIMITED, targets) ??
        (reflector.getAllAndOverride<boolean | undefined>(PUBLIC, targets) ? undefined : 'caller')
      );
    };
    const general = settings.ENTOURAGE_RATE_LIMIT_PER_MINUTE;
    const login = settings.ENTOURAGE_LOGIN_RATE_LIMIT_PER_MINUTE;
    // What the service asks itself was counted when its caller asked for it.
    const isOff = (limit: number, of: 'caller' | 'login') => (context: ExecutionContext) =>
      limit === 0 || kind(context) !== of || isInProcess(context.switchToHttp().getRequest<Request>());
    super(
      [
        {
          name: 'caller',
          limit: general,
          ttl: MINUTE_MS,
          skipIf: isOff(general, 'caller'),
          getTracker: caller,
        },
        { name: 'address', limit: login, ttl: MINUTE_MS, skipIf: isOff(login, 'login'), getTracker: address },
        { name: 'account', limit: login, ttl: MINUTE_MS, skipIf: isOff(login, 'login'), getTracker: account },
      ],
      new BoundedCounters(),
      reflector,
    );
  }

  protected override generateKey(_: ExecutionContext, tracker: string): string {
    return createHash('sha256').update(tracker).digest('base64');
  }

  /** `X-RateLimit-Limit-account` → `X-RateLimit-Limit`; of several limits, the header tells of the one nearest its end. */
  protected override setResponseHeader(response: Response, name: string, value: string | number): void {
    const [header = name] = /^(Retry-After|X-RateLimit-(Limit|Remaining|Reset))/.exec(name) ?? [];
    const present = response.get(header);
    if (header === 'X-RateLimit-Remaining' && present !== undefined && Number(present) < Number(value))
      return;
    response.setHeader(header, value);
  }

  protected override throwThrottlingException(context: ExecutionContext, fault: ThrottlerLimitDetail): never {
    const response = context.switchToHttp().getResponse<Response>();
    response.setHeader('X-RateLimit-Limit', fault.limit);
    response.setHeader('X-RateLimit-Remaining', 0);
    throw new DomainError('rate_limited', 'Rate limit exceeded. Try again later.');
  }
}

/** What of a request tells who sent it. */
interface Caller {
  ip?: string;
  user?: Identity;
  body?: { email?: unknown };
}

const address = (request: Caller): string => `address:${normalizeIp(request.ip ?? '')}`;

function caller(request: Caller): string {
  const { user } = request;
  if (user?.user_id !== undefined) return `user:${user.user_id}`;
  return user?.api_key_id === undefined ? address(request) : `key:${user.api_key_id}`;
}

/** Attempts without a well-formed email fail anyway; they count for their address. */
function account(request: Caller): string {
  const email = request.body?.email;
  return typeof email === 'string' ? `account:${normalizeEmail(email)}` : address(request);
}
