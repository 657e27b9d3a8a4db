import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { UuidPipe } from '../../../http/validation.js';
import { CurrentIdentity } from '../../auth/decorators.js';
import { type Identity } from '../../auth/identity.js';
import { RepairReportDto } from '../../webhooks/repair-report.dto.js';
import { RepairWebhook } from './repair-webhook.js';

@ApiTags('github')
@Controller('webhooks/:webhook_id/repair')
export class RepairController {
  constructor(private readonly repairs: RepairWebhook) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Look for deliveries that GitHub could not make, and ask for them again' })
  @ApiOkResponse({ type: RepairReportDto })
  repair(
    @CurrentIdentity() identity: Identity,
    @Param('webhook_id', UuidPipe) webhook_id: string,
  ): Promise<RepairReportDto> {
    return this.repairs.repair(identity, webhook_id);
  }
}
