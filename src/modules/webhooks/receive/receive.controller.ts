import { Controller, HttpCode, Param, Post, Req, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../../auth/decorators.js';
import { RawBodyInterceptor, type RawRequest } from './raw-body.interceptor.js';
import { ReceiveAnswerDto } from './receive.dto.js';
import { ReceiveService } from './receive.service.js';

@ApiTags('webhooks')
@Controller('webhooks')
export class ReceiveController {
  constructor(private readonly receiver: ReceiveService) {}

  @Post(':webhook_id/receive')
  @Public()
  @HttpCode(200)
  @UseInterceptors(RawBodyInterceptor)
  @ApiOperation({ summary: 'Take a delivery; X-Hub-Signature-256 over the body authenticates it' })
  @ApiConsumes('application/json', 'application/x-www-form-urlencoded')
  @ApiHeader({
    name: 'X-Hub-Signature-256',
    required: true,
    description: 'sha256=<hex HMAC-SHA256 of the body>',
  })
  @ApiHeader({ name: 'X-GitHub-Event', required: false, description: 'Else X-Event-Type, else `unknown`' })
  @ApiHeader({
    name: 'X-GitHub-Delivery',
    required: false,
    description: "Idempotency key; else the body's SHA-256",
  })
  @ApiBody({ schema: { type: 'object' }, description: "The event's payload, up to 25 MiB" })
  @ApiOkResponse({ type: ReceiveAnswerDto })
  receive(@Param('webhook_id') _webhook_id: string, @Req() request: RawRequest): Promise<ReceiveAnswerDto> {
    return this.receiver.receive(request);
  }
}
