import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Request } from 'express';
import { type Page } from '../../http/pagination.js';
import { IntIdPipe, UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import {
  AskHumanDto,
  HumanRequestDto,
  HumanRequestsQuery,
  RespondDto,
  WaitQuery,
} from './human-requests.dto.js';
import { HumanRequests } from './human-requests.service.js';

@ApiTags('human requests')
@Controller()
export class HumanRequestsController {
  constructor(private readonly requests: HumanRequests) {}

  @AgentRoute()
  @Post('human-requests')
  @ApiOperation({ summary: 'Ask a person, as an agent; the answer comes into its inbox' })
  ask(@CurrentIdentity() identity: Identity, @Body() body: AskHumanDto): Promise<HumanRequestDto> {
    return this.requests.ask(identity, body);
  }

  @AgentRoute()
  @Get('human-requests/:human_request_id')
  @ApiOperation({ summary: 'A question and its answer, for which the call waits up to 30 s when asked to' })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('human_request_id', IntIdPipe) id: number,
    @Query() query: WaitQuery,
    @Req() request: Request,
  ): Promise<HumanRequestDto> {
    const gone = new AbortController();
    request.res?.once('close', () => gone.abort());
    return this.requests.get(identity, id, query.wait_seconds, gone.signal);
  }

  @AgentRoute()
  @Get('teams/:team_id/human-requests')
  @ApiOperation({ summary: 'What the agents of a team have asked, newest first' })
  @ApiOkResponse({ type: [HumanRequestDto] })
  ofTeam(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Query() query: HumanRequestsQuery,
  ): Promise<Page<HumanRequestDto>> {
    return this.requests.ofTeam(identity, team_id, query);
  }

  @Post('human-requests/:human_request_id/respond')
  @HttpCode(200)
  @ApiOperation({ summary: 'Answer, as a person or with a key of the organization' })
  respond(
    @CurrentIdentity() identity: Identity,
    @Param('human_request_id', IntIdPipe) id: number,
    @Body() body: RespondDto,
  ): Promise<HumanRequestDto> {
    return this.requests.respond(identity, id, body);
  }
}
