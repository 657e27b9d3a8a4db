import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { DELETED, Deleted } from '../../../http/deleted.js';
import { type Page, PageQuery } from '../../../http/pagination.js';
import { UuidPipe } from '../../../http/validation.js';
import { CurrentIdentity } from '../decorators.js';
import { type Identity } from '../identity.js';
import { ApiKeys } from './api-keys.service.js';
import { ApiKeyDto, CreateApiKeyDto, CreatedApiKeyDto } from './api-keys.dto.js';

@ApiTags('auth')
@Controller('auth')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeys) {}

  /** Makes a key. The answer holds it, this once. */
  @Post('orgs/:org_id/api-keys')
  create(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Body() body: CreateApiKeyDto,
  ): Promise<CreatedApiKeyDto> {
    return this.keys.create(identity, org_id, body);
  }

  @Get('orgs/:org_id/api-keys')
  @ApiOkResponse({ type: [ApiKeyDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Query() query: PageQuery,
  ): Promise<Page<ApiKeyDto>> {
    return this.keys.list(identity, org_id, query);
  }

  /** Revokes a key at once. */
  @Delete('api-keys/:key_id')
  async revoke(
    @CurrentIdentity() identity: Identity,
    @Param('key_id', UuidPipe) key_id: string,
  ): Promise<Deleted> {
    await this.keys.revoke(identity, key_id);
    return DELETED;
  }
}
