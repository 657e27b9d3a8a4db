import { Body, Controller, Get, Param, Patch } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { OrganizationSettingsDto, TeamSettingsDto, UpdateTeamSettingsDto } from './settings.dto.js';
import { TeamSettings } from './settings.facade.js';

@ApiTags('settings')
@Controller('settings')
export class SettingsController {
  constructor(private readonly settings: TeamSettings) {}

  /** What a team has set; `{}` for a new one. */
  @AgentRoute()
  @Get('teams/:team_id')
  show(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
  ): Promise<TeamSettingsDto> {
    return this.settings.show(identity, team_id);
  }

  /** Merges into what is set. */
  @Patch('teams/:team_id')
  change(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: UpdateTeamSettingsDto,
  ): Promise<TeamSettingsDto> {
    return this.settings.change(identity, team_id, body);
  }

  @Get('orgs/:org_id')
  ofOrganization(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
  ): Promise<OrganizationSettingsDto> {
    return this.settings.ofOrganization(identity, org_id);
  }
}
