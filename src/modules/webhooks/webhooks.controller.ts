import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Page } from '../../http/pagination.js';
import { UuidPipe } from '../../http/validation.js';
import { CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import {
  CreateWebhookDto,
  RegenerateSecretDto,
  UpdateWebhookDto,
  WebhookDeletedDto,
  WebhookDto,
  WebhooksQuery,
} from './webhook.dto.js';
import { WebhooksService } from './webhooks.service.js';

@ApiTags('webhooks')
@Controller('webhooks')
export class WebhooksController {
  constructor(private readonly webhooks: WebhooksService) {}

  @Post()
  @ApiOperation({ summary: 'Register a webhook; the answer is the only one that holds its secret' })
  @ApiCreatedResponse({ type: WebhookDto })
  create(@CurrentIdentity() identity: Identity, @Body() body: CreateWebhookDto): Promise<WebhookDto> {
    return this.webhooks.create(identity, body);
  }

  @Get()
  @ApiOperation({ summary: "The webhooks of the caller's organizations" })
  @ApiOkResponse({ type: [WebhookDto] })
  list(@CurrentIdentity() identity: Identity, @Query() query: WebhooksQuery): Promise<Page<WebhookDto>> {
    return this.webhooks.list(identity, query);
  }

  @Get('orgs/:org_id')
  @ApiOperation({ summary: 'The webhooks of one organization' })
  @ApiOkResponse({ type: [WebhookDto] })
  listOfOrganization(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Query() query: WebhooksQuery,
  ): Promise<Page<WebhookDto>> {
    return this.webhooks.list(identity, Object.assign(new WebhooksQuery(), query, { org_id }));
  }

  @Get(':webhook_id')
  @ApiOkResponse({ type: WebhookDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
  ): Promise<WebhookDto> {
    return this.webhooks.get(identity, webhook_id);
  }

  @Patch(':webhook_id')
  @ApiOperation({ summary: 'Change a webhook; config is replaced as a whole' })
  @ApiOkResponse({ type: WebhookDto })
  update(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
    @Body() body: UpdateWebhookDto,
  ): Promise<WebhookDto> {
    return this.webhooks.update(identity, webhook_id, body);
  }

  @Delete(':webhook_id')
  @ApiOkResponse({ type: WebhookDeletedDto })
  delete(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
  ): Promise<WebhookDeletedDto> {
    return this.webhooks.delete(identity, webhook_id);
  }

  @Post(':webhook_id/regenerate-secret')
  @HttpCode(200)
  @ApiOperation({ summary: 'Make a new secret; the old one stops at once, or after grace_period_seconds' })
  @ApiOkResponse({ type: WebhookDto })
  regenerateSecret(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
    @Body() body: RegenerateSecretDto,
  ): Promise<WebhookDto> {
    return this.webhooks.regenerateSecret(identity, webhook_id, body.grace_period_seconds ?? 0);
  }
}
