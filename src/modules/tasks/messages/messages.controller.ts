import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { type Page } from '../../../http/pagination.js';
import { IntIdPipe, UuidPipe } from '../../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../../auth/decorators.js';
import { type Identity } from '../../auth/identity.js';
import { InboxQuery, MessageDto, SendMessageDto } from './messages.dto.js';
import { Messages } from './messages.service.js';

@ApiTags('messages')
@Controller()
export class MessagesController {
  constructor(private readonly messages: Messages) {}

  /** Sends as the caller, whoever the body says it is from. */
  @AgentRoute()
  @Post('teams/:team_id/messages')
  send(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: SendMessageDto,
  ): Promise<MessageDto> {
    return this.messages.send(identity, team_id, body);
  }

  /** Newest first; what is processed only when asked for. */
  @AgentRoute()
  @Get('agents/:agent_id/inbox')
  @ApiOkResponse({ type: [MessageDto] })
  inbox(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
    @Query() query: InboxQuery,
  ): Promise<Page<MessageDto>> {
    return this.messages.inbox(identity, agent_id, query);
  }

  /** Marks a message as done with. */
  @AgentRoute()
  @Post('messages/:message_id/processed')
  @HttpCode(200)
  process(
    @CurrentIdentity() identity: Identity,
    @Param('message_id', IntIdPipe) message_id: number,
  ): Promise<MessageDto> {
    return this.messages.process(identity, message_id);
  }
}
