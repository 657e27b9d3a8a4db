import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { markTeamsChanged } from '../../database/notify-on-commit.js';
import { type Identity } from '../auth/identity.js';
import { Organizations } from '../organizations/organizations.service.js';
import { Teams } from '../teams/teams.service.js';
import {
  type OrganizationSettingsDto,
  type TeamSettingsDto,
  type TeamSettingsValues,
  type UpdateTeamSettingsDto,
} from './settings.dto.js';
import { StoredTeamSettings } from './team-settings.entity.js';

export { type TeamSettingsValues } from './settings.dto.js';

/** One statement, so that two changes at once both last. */
const MERGE = `
  INSERT INTO team_settings AS s (team_id, "values") VALUES ($1, $2)
  ON CONFLICT (team_id) DO UPDATE SET "values" = s."values" || excluded."values", updated_at = now()`;

/** What teams have set. */
@Injectable()
export class TeamSettings {
  constructor(
    private readonly db: DataSource,
    private readonly teams: Teams,
    private readonly organizations: Organizations,
  ) {}

  /** For other parts of the service, which know that the team exists and apply their defaults. */
  async of(manager: EntityManager, team_id: string): Promise<TeamSettingsValues> {
    return (await manager.findOneBy(StoredTeamSettings, { team_id }))?.values ?? {};
  }

  async show(identity: Identity, team_id: string): Promise<TeamSettingsDto> {
    const { name } = await this.teams.getReachable(identity, team_id);
    return { team_id, team_name: name, settings: await this.of(this.db.manager, team_id) };
  }

  async change(identity: Identity, team_id: string, dto: UpdateTeamSettingsDto): Promise<TeamSettingsDto> {
    await this.teams.getManaged(identity, team_id);
    const given = Object.fromEntries(Object.entries(dto).filter(([, value]) => value !== null));
    await this.db.transaction(async (manager) => {
      await manager.query(MERGE, [team_id, JSON.stringify(given)]);
      // A limit that was raised lets waiting tasks start.
      if (manager.queryRunner) markTeamsChanged(manager.queryRunner, [team_id]);
    });
    return this.show(identity, team_id);
  }

  async ofOrganization(identity: Identity, id: string): Promise<OrganizationSettingsDto> {
    const { name } = await this.organizations.getReachable(identity, id);
    return { org_id: id, org_name: name, settings: {} };
  }
}
