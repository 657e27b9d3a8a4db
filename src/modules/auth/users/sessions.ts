import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { newId } from '../../../database/new-id.js';
import { RefreshToken } from '../refresh-token.entity.js';
import { invalidToken, REFRESH_SECONDS, type TokenClaims, Tokens } from './tokens.js';

export interface TokenPair {
  access_token: string;
  refresh_token: string;
  token_type: 'bearer';
}

/** A few expired rows at each login: as many go as come, and no login waits for another's. */
const FORGET_EXPIRED = `
  DELETE FROM refresh_tokens WHERE id IN (
    SELECT id FROM refresh_tokens WHERE expires_at < now() LIMIT 20 FOR UPDATE SKIP LOCKED)`;

/** Lines of refresh tokens, each exchanged once for its successor. */
@Injectable()
export class Sessions {
  constructor(
    private readonly db: DataSource,
    private readonly tokens: Tokens,
  ) {}

  async start(user_id: string): Promise<TokenPair> {
    await this.db.query(FORGET_EXPIRED);
    return this.pair(user_id, await this.issue(this.db.manager, user_id, newId()));
  }

  /**
   * Exchanges a refresh token for a new pair. A token that comes a second time has been copied: nobody can tell the
   * thief's copy from the owner's, so the whole line ends and its owner logs in again.
   */
  async refresh(refresh_token: string): Promise<TokenPair> {
    const claims = await this.tokens.readRefreshToken(refresh_token);
    const successor = await this.db.transaction((manager) => this.rotate(manager, claims));
    if (successor === null) throw invalidToken();
    return this.pair(claims.sub, successor);
  }

  /** @returns null instead of throwing, so that the revocation is committed. */
  private async rotate(manager: EntityManager, claims: TokenClaims): Promise<string | null> {
    // One exchange of a user at a time: else a revocation could miss the successor that another one is inserting.
    await manager.query('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [claims.sub]);
    const token = await manager.findOneBy(RefreshToken, { id: claims.jti, user_id: claims.sub });
    if (token === null || token.revoked_at !== null) return null;
    if (token.used_at !== null) {
      await manager.update(RefreshToken, { family_id: token.family_id }, { revoked_at: () => 'now()' });
      return null;
    }
    await manager.update(RefreshToken, token.id, { used_at: () => 'now()' });
    return this.issue(manager, token.user_id, token.family_id);
  }

  private async issue(manager: EntityManager, user_id: string, family_id: string): Promise<string> {
    const id = newId();
    const expires_at = new Date(Date.now() + REFRESH_SECONDS * 1000);
    await manager.insert(RefreshToken, { id, family_id, user_id, expires_at });
    return id;
  }

  private async pair(user_id: string, refresh_id: string): Promise<TokenPair> {
    const [access_token, refresh_token] = await Promise.all([
      this.tokens.sign('access', user_id),
      this.tokens.sign('refresh', user_id, refresh_id),
    ]);
    return { access_token, refresh_token, token_type: 'bearer' };
  }
}
