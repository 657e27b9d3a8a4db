import { Controller, HttpCode, Param, Post, Req, UseInterceptors } from '@nestjs/common';
import { ApiConsumes, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
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
  @ApiOkResponse({ type: ReceiveAnswerDto })
  receive(@Param('webhook_id') _webhook_id: string, @Req() request: RawRequest): Promise<ReceiveAnswerDto> {
    return this.receiver.receive(request);
  }
}
