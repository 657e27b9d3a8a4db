import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { isUUID } from 'class-validator';
import { type Request } from 'express';
import { Strategy } from 'passport-jwt';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../../config/settings.js';
import { DomainError } from '../../../errors/domain-error.js';
import { type MemberRole } from '../../organizations/membership.entity.js';
import { type Identity } from '../identity.js';
import { bearerToken } from '../presented-credential.js';
import { AUDIENCE, invalidToken, ISSUER, type TokenClaims } from './tokens.js';

interface MembershipRow {
  name: string;
  org_id: string | null;
  role: MemberRole;
}

/** Memberships are read with each request: who is removed from an organization is out at once. */
const FIND_USER = `
  SELECT u.name, m.org_id, m.role
  FROM users u LEFT JOIN memberships m ON m.user_id = u.id
  WHERE u.id = $1`;

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
  constructor(
    settings: ResolvedSettings,
    private readonly db: DataSource,
  ) {
    super({
      secretOrKey: settings.ENTOURAGE_JWT_SECRET,
      algorithms: ['HS256'],
      issuer: ISSUER,
      audience: AUDIENCE,
      jwtFromRequest: (request: Request) => bearerToken(request) ?? null,
    });
  }

  async validate(claims: TokenClaims): Promise<Identity> {
    if (claims.type !== 'access') throw new DomainError('invalid_token', 'Not an access token');
    const rows = isUUID(claims.sub) ? await this.db.query<MembershipRow[]>(FIND_USER, [claims.sub]) : [];
    const [user] = rows;
    if (user === undefined) throw invalidToken();
    const roles = Object.fromEntries(
      rows.flatMap((row) => (row.org_id === null ? [] : [[row.org_id, row.role] as const])),
    );
    return {
      actor: { type: 'user', id: claims.sub, name: user.name },
      org_ids: Object.keys(roles),
      roles,
      scopes: ['all'],
      user_id: claims.sub,
    };
  }
}
