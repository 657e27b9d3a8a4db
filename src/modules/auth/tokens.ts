export const ISSUER = 'entourage';
export const AUDIENCE = 'entourage-api';

export interface TokenClaims {
  /** User id. */
  sub: string;
  type: 'access' | 'refresh';
  jti: string;
  iat: number;
  exp: number;
}
