import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { isUUID } from 'class-validator';
import { newId } from '../../../database/new-id.js';
import { DomainError } from '../../../errors/domain-error.js';

export const ISSUER = 'entourage';
export const AUDIENCE = 'entourage-api';

export const ACCESS_SECONDS = 60 * 60;
export const REFRESH_SECONDS = 30 * 24 * 60 * 60;

export interface TokenClaims {
  /** User id. */
  sub: string;
  type: 'access' | 'refresh';
  jti: string;
  iat: number;
  exp: number;
}

/** Signs the service's tokens, and reads refresh tokens; access tokens are read by the guard's strategy. */
@Injectable()
export class Tokens {
  constructor(private readonly jwt: JwtService) {}

  sign(type: TokenClaims['type'], user_id: string, jti: string = newId()): Promise<string> {
    return this.jwt.signAsync(
      { type },
      {
        algorithm: 'HS256',
        subject: user_id,
        jwtid: jti,
        issuer: ISSUER,
        audience: AUDIENCE,
        expiresIn: type === 'access' ? ACCESS_SECONDS : REFRESH_SECONDS,
      },
    );
  }

  async readRefreshToken(token: string): Promise<TokenClaims> {
    const claims = await this.jwt
      .verifyAsync<TokenClaims>(token, { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE })
      .catch((error: unknown) => {
        throw invalidToken(error);
      });
    if (claims.type !== 'refresh') throw new DomainError('not_a_refresh_token', 'Not a refresh token');
    if (!isUUID(claims.sub) || !isUUID(claims.jti)) throw invalidToken();
    return claims;
  }
}

/** What is wrong with a token, as far as its bearer is told. */
export const invalidToken = (fault?: unknown): DomainError =>
  new DomainError(
    'invalid_token',
    fault instanceof Error && fault.name === 'TokenExpiredError' ? 'Token has expired' : 'Invalid token',
  );
