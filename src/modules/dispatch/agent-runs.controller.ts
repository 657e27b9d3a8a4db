import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Request } from 'express';
import { type Page, PageQuery } from '../../http/pagination.js';
import { IntIdPipe, UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { Tasks } from '../tasks/tasks.facade.js';
import { Teams } from '../teams/teams.service.js';
import { DispatchStatus } from './dispatch-status.js';
import { PullWork } from './pull-work.js';
import {
  ClaimAnswerDto,
  ClaimDto,
  DispatchStatusDto,
  FinishRunDto,
  HeartbeatAnswerDto,
  HeartbeatDto,
  RunDetailDto,
  RunDto,
  StartAgentDto,
  StartedAgentDto,
} from './run.dto.js';
import { Runs } from './runs.facade.js';
import { StartAgent } from './start-agent.js';

@ApiTags('runs')
@Controller()
export class AgentRunsController {
  constructor(
    private readonly runs: Runs,
    private readonly pull: PullWork,
    private readonly startAgent: StartAgent,
    private readonly status: DispatchStatus,
    private readonly teams: Teams,
    private readonly tasks: Tasks,
  ) {}

  @Post('agents/:agent_id/claim')
  @HttpCode(200)
  @AgentRoute()
  @ApiOperation({ summary: 'Ask for work, as an agent with the runtime `pull`; waits for it up to 30 s' })
  @ApiOkResponse({ type: ClaimAnswerDto })
  async claim(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
    @Body() body: ClaimDto,
    @Req() request: Request,
  ): Promise<ClaimAnswerDto> {
    return { run: await this.pull.claim(identity, agent_id, body.wait_seconds ?? 0, whenGone(request)) };
  }

  @Post('agents/:agent_id/run')
  @HttpCode(200)
  @ApiOperation({ summary: 'Start an idle agent now: on a task, on its most urgent one, or on a prompt' })
  @ApiOkResponse({ type: StartedAgentDto })
  start(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
    @Body() body: StartAgentDto,
  ): Promise<StartedAgentDto> {
    return this.startAgent.start(identity, agent_id, body);
  }

  @Get('teams/:team_id/dispatch-status')
  @ApiOperation({ summary: 'What waits in a team, and why; what runs; who is idle' })
  @ApiOkResponse({ type: DispatchStatusDto })
  async dispatchStatus(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
  ): Promise<DispatchStatusDto> {
    await this.teams.getReachable(identity, team_id);
    return this.status.of(team_id);
  }

  @Get('teams/:team_id/runs')
  @ApiOperation({ summary: "A team's runs, newest first" })
  @ApiOkResponse({ type: [RunDto] })
  async ofTeam(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Query() query: PageQuery,
  ): Promise<Page<RunDto>> {
    await this.teams.getReachable(identity, team_id);
    return this.runs.ofTeam(identity, team_id, query);
  }

  @Get('tasks/:task_id/runs')
  @AgentRoute()
  @ApiOperation({ summary: "A task's runs, newest first" })
  @ApiOkResponse({ type: [RunDto] })
  async ofTask(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: PageQuery,
  ): Promise<Page<RunDto>> {
    await this.tasks.getReachable(identity, task_id);
    return this.runs.ofTask(identity, task_id, query);
  }

  @Get('runs/:run_id')
  @AgentRoute()
  @ApiOkResponse({ type: RunDetailDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('run_id', UuidPipe) run_id: string,
  ): Promise<RunDetailDto> {
    return this.runs.get(identity, run_id);
  }

  @Post('runs/:run_id/heartbeat')
  @HttpCode(200)
  @AgentRoute()
  @ApiOperation({ summary: 'Sign of life: extends the lease, and tells whether to stop' })
  @ApiOkResponse({ type: HeartbeatAnswerDto })
  heartbeat(
    @CurrentIdentity() identity: Identity,
    @Param('run_id', UuidPipe) run_id: string,
    @Body() body: HeartbeatDto,
  ): Promise<HeartbeatAnswerDto> {
    return this.runs.heartbeat(identity, run_id, body);
  }

  @Post('runs/:run_id/finish')
  @HttpCode(200)
  @AgentRoute()
  @ApiOperation({
    summary: 'The end of the work: success sends the task to review, failure lets it be tried again',
  })
  @ApiOkResponse({ type: RunDetailDto })
  finish(
    @CurrentIdentity() identity: Identity,
    @Param('run_id', UuidPipe) run_id: string,
    @Body() body: FinishRunDto,
  ): Promise<RunDetailDto> {
    return this.runs.finish(identity, run_id, body);
  }

  @Post('runs/:run_id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Ask the agent to stop; its task is then held until it is released' })
  @ApiOkResponse({ type: RunDetailDto })
  cancel(
    @CurrentIdentity() identity: Identity,
    @Param('run_id', UuidPipe) run_id: string,
  ): Promise<RunDetailDto> {
    return this.runs.cancel(identity, run_id);
  }
}

/** Aborted when the caller's connection closes before it was answered. */
function whenGone(request: Request): AbortSignal {
  const gone = new AbortController();
  request.res?.once('close', () => gone.abort());
  return gone.signal;
}
