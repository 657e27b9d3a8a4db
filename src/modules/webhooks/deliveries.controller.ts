import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Page } from '../../http/pagination.js';
import { UuidPipe } from '../../http/validation.js';
import { CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { DeliveriesQuery, DeliveryDetailDto, DeliveryDto } from '../deliveries/delivery.dto.js';
import { ExplanationDto } from '../deliveries/explanation.dto.js';
import { ReceiveAnswerDto } from './receive/receive.dto.js';
import { WebhookDeliveriesService } from './webhook-deliveries.service.js';

@ApiTags('deliveries')
@Controller('webhooks/:webhook_id/deliveries')
export class DeliveriesController {
  constructor(private readonly deliveries: WebhookDeliveriesService) {}

  @Get()
  @ApiOperation({ summary: 'What a webhook received, newest first' })
  @ApiOkResponse({ type: [DeliveryDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
    @Query() query: DeliveriesQuery,
  ): Promise<Page<DeliveryDto>> {
    return this.deliveries.list(identity, webhook_id, query);
  }

  @Get(':delivery_id')
  @ApiOperation({ summary: 'One delivery with its payload and headers' })
  @ApiOkResponse({ type: DeliveryDetailDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
    @Param('delivery_id', UuidPipe) delivery_id: string,
  ): Promise<DeliveryDetailDto> {
    return this.deliveries.get(identity, webhook_id, delivery_id);
  }

  @Post(':delivery_id/replay')
  @HttpCode(200)
  @ApiOperation({ summary: 'Process a delivery again, by the webhook as it is now' })
  @ApiOkResponse({ type: ReceiveAnswerDto })
  replay(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
    @Param('delivery_id', UuidPipe) delivery_id: string,
  ): Promise<ReceiveAnswerDto> {
    return this.deliveries.replay(identity, webhook_id, delivery_id);
  }

  @Get(':delivery_id/explain')
  @ApiOperation({ summary: 'Why a delivery had the effect it had: signature, filters, task, agent, run' })
  @ApiOkResponse({ type: ExplanationDto })
  explain(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
    @Param('delivery_id', UuidPipe) delivery_id: string,
  ): Promise<ExplanationDto> {
    return this.deliveries.explain(identity, webhook_id, delivery_id);
  }
}
