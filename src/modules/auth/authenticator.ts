import { Injectable } from '@nestjs/common';
import { type Request, type Response } from 'express';
import passport, { type Strategy } from 'passport';
import { DomainError } from '../../errors/domain-error.js';
import { ApiKeyStrategy } from './api-keys/api-key.strategy.js';
import { type Identity } from './identity.js';
import { JwtStrategy } from './users/jwt.strategy.js';
import { bearerToken, presentedApiKey } from './presented-credential.js';
import { invalidToken } from './users/tokens.js';

/** Finds out who sent a request, by the one Passport strategy that its credential calls for. */
@Injectable()
export class Authenticator {
  constructor(
    private readonly apiKeys: ApiKeyStrategy,
    private readonly tokens: JwtStrategy,
  ) {}

  /** @throws DomainError of status 401 */
  async authenticate(request: Request, response: Response): Promise<Identity> {
    if (presentedApiKey(request) !== undefined) return run(this.apiKeys, request, response);
    if (bearerToken(request) !== undefined) return run(this.tokens, request, response);
    throw new DomainError('authentication_required', 'Authentication required');
  }
}

/**
 * Strategies are passed as objects, since Passport's registry of names is one for all applications of a process. Each
 * request gets a child of the strategy: Passport puts the request's own callbacks on what it is given.
 */
const run = (strategy: Strategy, request: Request, response: Response): Promise<Identity> =>
  new Promise((resolve, reject) => {
    const answer = (error: unknown, identity?: Identity | false | null, info?: unknown): void => {
      if (error !== null && error !== undefined) reject(error);
      else if (identity) resolve(identity);
      else reject(invalidToken(info));
    };
    const handle = passport.authenticate(Object.create(strategy) as Strategy, { session: false }, answer) as (
      request: Request,
      response: Response,
      next: (error?: unknown) => void,
    ) => void;
    handle(request, response, reject);
  });
