import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { type Page } from '../../http/pagination.js';
import { IntIdPipe, UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { EndSessionDto, SessionDto, SessionQuery, StartSessionDto, UsageDto } from './sessions.dto.js';
import { AgentSessions } from './sessions.service.js';

@ApiTags('sessions')
@AgentRoute()
@Controller()
export class SessionsController {
  constructor(private readonly sessions: AgentSessions) {}

  /** Starts a session: of the agent's run, if it has one; else the agent is working until the session ends. */
  @Post('sessions/start')
  start(@CurrentIdentity() identity: Identity, @Body() body: StartSessionDto): Promise<SessionDto> {
    return this.sessions.start(identity, body);
  }

  /** Adds to what the session has used, also after its end. */
  @Post('sessions/:session_id/usage')
  @HttpCode(200)
  addUsage(
    @CurrentIdentity() identity: Identity,
    @Param('session_id', IntIdPipe) session_id: number,
    @Body() body: UsageDto,
  ): Promise<SessionDto> {
    return this.sessions.addUsage(identity, session_id, body);
  }

  /** Ends a session; one outside of runs lets its agent take work again. */
  @Post('sessions/:session_id/end')
  @HttpCode(200)
  end(
    @CurrentIdentity() identity: Identity,
    @Param('session_id', IntIdPipe) session_id: number,
    @Body() body: EndSessionDto,
  ): Promise<SessionDto> {
    return this.sessions.end(identity, session_id, body.error ?? null);
  }

  @Get('sessions/:session_id')
  get(
    @CurrentIdentity() identity: Identity,
    @Param('session_id', IntIdPipe) session_id: number,
  ): Promise<SessionDto> {
    return this.sessions.get(identity, session_id);
  }

  /** An agent's sessions, newest first. */
  @Get('agents/:agent_id/sessions')
  @ApiOkResponse({ type: [SessionDto] })
  ofAgent(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
    @Query() query: SessionQuery,
  ): Promise<Page<SessionDto>> {
    return this.sessions.ofAgent(identity, agent_id, query);
  }
}
