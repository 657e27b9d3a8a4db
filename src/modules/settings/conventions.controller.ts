import { Body, Controller, Delete, Get, Param, Post, Put } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import {
  ConventionDto,
  CreateConventionDto,
  DeletedConventionDto,
  UpdateConventionDto,
} from './conventions.dto.js';
import { Conventions } from './conventions.service.js';

@ApiTags('settings')
@Controller('settings/teams/:team_id/conventions')
export class ConventionsController {
  constructor(private readonly conventions: Conventions) {}

  /** All of a team's, by key. */
  @AgentRoute()
  @Get()
  @ApiOkResponse({ type: [ConventionDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
  ): Promise<ConventionDto[]> {
    return this.conventions.list(identity, team_id);
  }

  /** Adds a rule that the team's agents are told with every task. */
  @Post()
  create(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: CreateConventionDto,
  ): Promise<ConventionDto> {
    return this.conventions.create(identity, team_id, body);
  }

  @Put(':key')
  update(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Param('key') key: string,
    @Body() body: UpdateConventionDto,
  ): Promise<ConventionDto> {
    return this.conventions.update(identity, team_id, key, body);
  }

  @Delete(':key')
  remove(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Param('key') key: string,
  ): Promise<DeletedConventionDto> {
    return this.conventions.remove(identity, team_id, key);
  }
}
