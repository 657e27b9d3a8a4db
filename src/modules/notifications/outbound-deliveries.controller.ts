import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Page } from '../../http/pagination.js';
import { UuidPipe } from '../../http/validation.js';
import { CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { OutboundDeliveries } from './outbound-deliveries.service.js';
import {
  OutboundDeliveriesQuery,
  OutboundDeliveryDetailDto,
  OutboundDeliveryDto,
  RecoverDto,
  RecoveredDto,
} from './outbound-delivery.dto.js';

@ApiTags('outbound webhooks')
@Controller('outbound-webhooks/:outbound_webhook_id')
export class OutboundDeliveriesController {
  constructor(private readonly deliveries: OutboundDeliveries) {}

  @Get('deliveries')
  @ApiOperation({ summary: 'What an outbound webhook was sent or is to be sent, newest first' })
  @ApiOkResponse({ type: [OutboundDeliveryDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) webhook_id: string,
    @Query() query: OutboundDeliveriesQuery,
  ): Promise<Page<OutboundDeliveryDto>> {
    return this.deliveries.list(identity, webhook_id, query);
  }

  @Get('deliveries/:outbound_delivery_id')
  @ApiOperation({ summary: 'One delivery with its bytes and every attempt' })
  @ApiOkResponse({ type: OutboundDeliveryDetailDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) webhook_id: string,
    @Param('outbound_delivery_id', UuidPipe) delivery_id: string,
  ): Promise<OutboundDeliveryDetailDto> {
    return this.deliveries.get(identity, webhook_id, delivery_id);
  }

  @Post('deliveries/:outbound_delivery_id/retry')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send it once more, now; when that fails, what was over stays over' })
  @ApiOkResponse({ type: OutboundDeliveryDto })
  retry(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) webhook_id: string,
    @Param('outbound_delivery_id', UuidPipe) delivery_id: string,
  ): Promise<OutboundDeliveryDto> {
    return this.deliveries.retry(identity, webhook_id, delivery_id);
  }

  @Post('recover')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Send again what failed or was kept back in a window of time, on the whole schedule',
  })
  @ApiOkResponse({ type: RecoveredDto })
  recover(
    @CurrentIdentity() identity: Identity,
    @Param('outbound_webhook_id', UuidPipe) webhook_id: string,
    @Body() body: RecoverDto,
  ): Promise<RecoveredDto> {
    return this.deliveries.recover(identity, webhook_id, body);
  }
}
