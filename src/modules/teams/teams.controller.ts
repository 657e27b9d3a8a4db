import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { type Page, PageQuery } from '../../http/pagination.js';
import { UuidPipe } from '../../http/validation.js';
import { AgentDto, CreateAgentDto } from '../agents/agents.dto.js';
import { Agents } from '../agents/agents.service.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { CreateRepositoryDto, RepositoryDto } from '../repositories/repositories.dto.js';
import { Repositories } from '../repositories/repositories.service.js';
import { CreateTeamDto, TeamDetailDto, TeamDto } from './teams.dto.js';
import { Teams } from './teams.service.js';

@ApiTags('teams')
@Controller()
export class TeamsController {
  constructor(
    private readonly teams: Teams,
    private readonly agents: Agents,
    private readonly repositories: Repositories,
  ) {}

  /** Makes a team and its manager agent. */
  @Post('orgs/:org_id/teams')
  create(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Body() body: CreateTeamDto,
  ): Promise<TeamDto> {
    return this.teams.create(identity, org_id, body);
  }

  @Get('orgs/:org_id/teams')
  @ApiOkResponse({ type: [TeamDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Query() query: PageQuery,
  ): Promise<Page<TeamDto>> {
    return this.teams.list(identity, org_id, query);
  }

  /** A team with its agents and repositories. */
  @AgentRoute()
  @Get('teams/:team_id')
  detail(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
  ): Promise<TeamDetailDto> {
    return this.teams.detail(identity, team_id);
  }

  @Post('teams/:team_id/agents')
  async createAgent(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: CreateAgentDto,
  ): Promise<AgentDto> {
    return this.agents.create(await this.teams.getManaged(identity, team_id), body);
  }

  @AgentRoute()
  @Get('teams/:team_id/agents')
  @ApiOkResponse({ type: [AgentDto] })
  async listAgents(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Query() query: PageQuery,
  ): Promise<Page<AgentDto>> {
    await this.teams.getReachable(identity, team_id);
    return this.agents.list(identity, team_id, query);
  }

  /** Registers a git repository on the server's disk. */
  @Post('teams/:team_id/repos')
  async createRepository(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: CreateRepositoryDto,
  ): Promise<RepositoryDto> {
    return this.repositories.create(await this.teams.getManaged(identity, team_id), body);
  }

  @AgentRoute()
  @Get('teams/:team_id/repos')
  @ApiOkResponse({ type: [RepositoryDto] })
  async listRepositories(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Query() query: PageQuery,
  ): Promise<Page<RepositoryDto>> {
    await this.teams.getReachable(identity, team_id);
    return this.repositories.list(identity, team_id, query);
  }
}
