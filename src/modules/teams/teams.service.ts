import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { pageByName } from '../../database/page-by-name.js';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Page, type PageQuery } from '../../http/pagination.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity, inOrganization } from '../auth/identity.js';
import { assertMayManage, assertReaches } from '../auth/permissions.js';
import { Repositories } from '../repositories/repositories.service.js';
import { Team } from './team.entity.js';
import { type CreateTeamDto, type TeamDetailDto, type TeamDto } from './teams.dto.js';

/** The teams of organizations. */
@Injectable()
export class Teams {
  constructor(
    @InjectRepository(Team) private readonly teams: Repository<Team>,
    private readonly agents: Agents,
    private readonly repositories: Repositories,
  ) {}

  /** Makes a team and, with it, the agent that manages it. */
  async create(identity: Identity, org_id: string, { name, slug }: CreateTeamDto): Promise<TeamDto> {
    assertMayManage(identity, org_id);
    const team = this.teams.create({ id: newId(), org_id, name, slug });
    try {
      await this.teams.manager.transaction(async (manager) => {
        await manager.insert(Team, team);
        await this.agents.create(team, { name: 'manager', role: 'manager' }, manager);
      });
    } catch (error) {
      if (violatesUnique(error, 'teams_org_slug_key'))
        throw new DomainError('slug_taken', 'A team with this slug is already in the organization');
      throw error;
    }
    return toTeamDto(team);
  }

  async list(identity: Identity, org_id: string, query: PageQuery): Promise<Page<TeamDto>> {
    assertReaches(identity, org_id);
    const rows = this.teams.createQueryBuilder('team').where('team.org_id = :org_id', { org_id });
    if (identity.team_id !== undefined) rows.andWhere('team.id = :own', { own: identity.team_id });
    return (await pageByName(rows, query)).map(toTeamDto);
  }

  async detail(identity: Identity, id: string): Promise<TeamDetailDto> {
    const team = await this.getReachable(identity, id);
    const [agents, repositories] = await Promise.all([this.agents.ofTeam(id), this.repositories.ofTeam(id)]);
    return Object.assign(toTeamDto(team), { agents, repositories });
  }

  /** @throws DomainError `team_not_found`: also for another tenant's team, and for an agent's key any but its own. */
  async getReachable(identity: Identity, id: string): Promise<Team> {
    const isOutside = identity.team_id !== undefined && identity.team_id !== id;
    const team = isOutside ? null : await this.teams.findOneBy({ id, ...inOrganization(identity) });
    if (team === null) throw new DomainError('team_not_found', 'Team not found');
    return team;
  }

  /** As `getReachable`, for who may change what the team consists of. */
  async getManaged(identity: Identity, id: string): Promise<Team> {
    const team = await this.getReachable(identity, id);
    assertMayManage(identity, team.org_id);
    return team;
  }
}

const toTeamDto = ({ id, org_id, name, slug, created_at }: Team): TeamDto => ({
  id,
  org_id,
  name,
  slug,
  created_at,
});
