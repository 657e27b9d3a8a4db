import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Request } from 'express';
import { Strategy } from 'passport-custom';
import { DataSource } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../../database/prepared.js';
import { DomainError } from '../../../errors/domain-error.js';
import { hashApiKey, isApiKey } from './api-key-format.js';
import { type ApiKeyScope } from '../api-key.entity.js';
import { type Identity } from '../identity.js';
import { KeyUsage } from './key-usage.js';
import { presentedApiKey } from '../presented-credential.js';

interface KeyRow {
  id: string;
  org_id: string;
  name: string;
  scopes: ApiKeyScope[];
  expired: boolean;
  agent_id: string | null;
  agent_name: string | null;
  team_id: string | null;
}

/** Keys are read with each request, never kept: a revoked key is refused by every process at once. */
const FIND_KEY: PreparedStatement = {
  name: 'find-api-key',
  text: `
  SELECT k.id, k.org_id, k.name, k.scopes, coalesce(k.expires_at <= now(), false) AS expired,
         k.agent_id, a.name AS agent_name, a.team_id
  FROM api_keys k LEFT JOIN agents a ON a.id = k.agent_id
  WHERE k.key_hash = $1 AND k.revoked_at IS NULL`,
};

@Injectable()
export class ApiKeyStrategy extends PassportStrategy(Strategy, 'api-key') {
  constructor(
    private readonly db: DataSource,
    private readonly usage: KeyUsage,
  ) {
    super();
  }

  async validate(request: Request): Promise<Identity> {
    const key = presentedApiKey(request);
    const [row] =
      key !== undefined && isApiKey(key)
        ? await preparedBy<KeyRow>(this.db.manager, FIND_KEY, [hashApiKey(key)])
        : [];
    if (row === undefined) throw new DomainError('invalid_api_key', 'Invalid API key');
    if (row.expired) throw new DomainError('api_key_expired', 'API key has expired');
    this.usage.note(row.id);
    return toIdentity(row);
  }
}

const toIdentity = (row: KeyRow): Identity => ({
  actor:
    row.agent_id === null
      ? { type: 'api_key', id: row.id, name: row.name }
      : { type: 'agent', id: row.agent_id, ...(row.agent_name === null ? {} : { name: row.agent_name }) },
  org_ids: [row.org_id],
  roles: {},
  scopes: row.scopes,
  api_key_id: row.id,
  ...(row.agent_id !== null && row.team_id !== null ? { agent_id: row.agent_id, team_id: row.team_id } : {}),
});
