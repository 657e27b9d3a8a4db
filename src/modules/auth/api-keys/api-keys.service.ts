import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { isUUID } from 'class-validator';
import { IsNull, LessThan, Repository } from 'typeorm';
import { newId } from '../../../database/new-id.js';
import { DomainError } from '../../../errors/domain-error.js';
import { decodeCursor, invalidCursor, MAX_PAGE, Page, type PageQuery } from '../../../http/pagination.js';
import { Agents } from '../../agents/agents.service.js';
import { ApiKey } from '../api-key.entity.js';
import { type Identity, inOrganization } from '../identity.js';
import { assertMayAdminister, assertMayManage } from '../permissions.js';
import { generateApiKey, hashApiKey } from './api-key-format.js';
import { type ApiKeyDto, type CreateApiKeyDto, type CreatedApiKeyDto } from './api-keys.dto.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The keys of organizations. */
@Injectable()
export class ApiKeys {
  constructor(
    @InjectRepository(ApiKey) private readonly keys: Repository<ApiKey>,
    private readonly agents: Agents,
  ) {}

  async create(identity: Identity, org_id: string, dto: CreateApiKeyDto): Promise<CreatedApiKeyDto> {
    assertMayAdminister(identity, org_id);
    if (dto.agent_id) await this.agents.getInOrganization(org_id, dto.agent_id);
    const key = generateApiKey();
    const row = this.keys.create({
      id: newId(),
      org_id,
      agent_id: dto.agent_id ?? null,
      name: dto.name,
      prefix: key.slice(0, 10),
      key_hash: hashApiKey(key),
      scopes: [...new Set(dto.scopes ?? (['all'] as const))],
      expires_at: dto.expires_days ? new Date(Date.now() + dto.expires_days * DAY_MS) : null,
    });
    await this.keys.insert(row);
    return Object.assign(toDto(row), { key });
  }

  /** Newest first. */
  async list(identity: Identity, org_id: string, query: PageQuery): Promise<Page<ApiKeyDto>> {
    assertMayManage(identity, org_id);
    const limit = query.limit ?? MAX_PAGE;
    const before = decodeCursor(query.cursor, 1)?.map(String)[0];
    if (before !== undefined && !isUUID(before)) throw invalidCursor();
    const rows = await this.keys.find({
      // Ids are ordered by time (UUID version 7).
      where: {
        org_id,
        revoked_at: IsNull(),
        run_id: IsNull(),
        ...(before === undefined ? {} : { id: LessThan(before) }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return Page.of(rows, limit, (row) => [row.id]).map(toDto);
  }

  /** Revokes the key, from the next request on. */
  async revoke(identity: Identity, id: string): Promise<void> {
    const key = await this.keys.findOneBy({
      id,
      revoked_at: IsNull(),
      run_id: IsNull(),
      ...inOrganization(identity),
    });
    if (key === null) throw new DomainError('api_key_not_found', 'API key not found');
    assertMayAdminister(identity, key.org_id);
    await this.keys.update(id, { revoked_at: () => 'now()' });
  }
}

const toDto = (row: ApiKey): ApiKeyDto => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  agent_id: row.agent_id,
  last_used_at: row.last_used_at ?? null,
  created_at: row.created_at,
  expires_at: row.expires_at,
});
