import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Deleted } from '../../http/deleted.js';
import { type Page } from '../../http/pagination.js';
import { UuidPipe } from '../../http/validation.js';
import { CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { OutboundTest } from './outbound-test.js';
import { OutboundTestDto } from './outbound-delivery.dto.js';
import {
  CreateOutboundWebhookDto,
  OutboundWebhookDto,
  OutboundWebhooksQuery,
  RegenerateOutboundSecretDto,
  UpdateOutboundWebhookDto,
} from './outbound-webhook.dto.js';
import { OutboundWebhooks } from './outbound-webhooks.service.js';

const DAY_SECONDS = 86_400;

@ApiTags('outbound webhooks')
@Controller('outbound-webhooks')
export class OutboundWebhooksController {
  constructor(
    private readonly webhooks: OutboundWebhooks,
    private readonly test: OutboundTest,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Have an outside system told of tasks; the answer is the only one with the secret',
  })
  @ApiCreatedResponse({ type: OutboundWebhookDto })
  create(
    @CurrentIdentity() identity: Identity,
    @Body() body: CreateOutboundWebhookDto,
  ): Promise<OutboundWebhookDto> {
    return this.webhooks.create(identity, body);
  }

  @Get()
  @ApiOperation({ summary: "The outbound webhooks of the caller's organizations, newest first" })
  @ApiOkResponse({ type: [OutboundWebhookDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Query() query: OutboundWebhooksQuery,
  ): Promise<Page<OutboundWebhookDto>> {
    return this.webhooks.list(identity, query);
  }

  @Get(':outbound_webhook_id')
  @ApiOkResponse({ type: OutboundWebhookDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) id: string,
  ): Promise<OutboundWebhookDto> {
    return this.webhooks.get(identity, id);
  }

  @Patch(':outbound_webhook_id')
  @ApiOperation({
    summary:
      'Change an outbound webhook; `active: true` ends what disabled or paused it, `false` keeps its events back',
  })
  @ApiOkResponse({ type: OutboundWebhookDto })
  update(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) id: string,
    @Body() body: UpdateOutboundWebhookDto,
  ): Promise<OutboundWebhookDto> {
    return this.webhooks.update(identity, id, body);
  }

  @Delete(':outbound_webhook_id')
  @ApiOperation({ summary: 'Delete an outbound webhook with its log' })
  @ApiOkResponse({ type: Deleted })
  delete(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) id: string,
  ): Promise<Deleted> {
    return this.webhooks.delete(identity, id);
  }

  @Post(':outbound_webhook_id/regenerate-secret')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Make a new secret; the old one signs beside it for grace_period_seconds (a day)',
  })
  @ApiOkResponse({ type: OutboundWebhookDto })
  regenerateSecret(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) id: string,
    @Body() body: RegenerateOutboundSecretDto,
  ): Promise<OutboundWebhookDto> {
    return this.webhooks.regenerateSecret(identity, id, body.grace_period_seconds ?? DAY_SECONDS);
  }

  @Post(':outbound_webhook_id/test')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send a signed `webhook.test` now, once, and answer what came back' })
  @ApiOkResponse({ type: OutboundTestDto })
  sendTest(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) id: string,
  ): Promise<OutboundTestDto> {
    return this.test.send(identity, id);
  }
}
