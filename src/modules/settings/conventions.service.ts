import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError, validationFailed } from '../../errors/domain-error.js';
import { type Identity } from '../auth/identity.js';
import { Teams } from '../teams/teams.service.js';
import {
  type ConventionDto,
  type CreateConventionDto,
  type DeletedConventionDto,
  type UpdateConventionDto,
} from './conventions.dto.js';
import { TeamConvention } from './team-convention.entity.js';

const MAX_CONVENTIONS = 100;

/** The count is there to keep a team from growing without bound; writers at the same moment may pass it by their number. */
const INSERT = `
  INSERT INTO team_conventions (team_id, key, content, active)
  SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM team_conventions WHERE team_id = $1) < ${MAX_CONVENTIONS}
  RETURNING key`;

/** How teams work: rules that their agents are told with every task. */
@Injectable()
export class Conventions {
  constructor(
    @InjectRepository(TeamConvention) private readonly conventions: Repository<TeamConvention>,
    private readonly teams: Teams,
  ) {}

  async list(identity: Identity, team_id: string): Promise<ConventionDto[]> {
    await this.teams.getReachable(identity, team_id);
    const rows = await this.conventions.find({ where: { team_id }, order: { key: 'ASC' } });
    return rows.map(toDto);
  }

  async create(identity: Identity, team_id: string, dto: CreateConventionDto): Promise<ConventionDto> {
    await this.teams.getManaged(identity, team_id);
    const created = { key: dto.key, content: dto.content, active: dto.active ?? true };
    const rows = await this.conventions
      .query<unknown[]>(INSERT, [team_id, created.key, created.content, created.active])
      .catch((error: unknown) => {
        if (violatesUnique(error, 'team_conventions_pkey'))
          throw new DomainError('convention_exists', `The team has a convention '${dto.key}' already`);
        throw error;
      });
    if (rows.length > 0) return created;
    throw validationFailed([{ field: 'key', message: `a team has at most ${MAX_CONVENTIONS} conventions` }]);
  }

  async update(
    identity: Identity,
    team_id: string,
    key: string,
    dto: UpdateConventionDto,
  ): Promise<ConventionDto> {
    await this.teams.getManaged(identity, team_id);
    const { content, active } = dto;
    const { affected } = await this.conventions.update(
      { team_id, key },
      { content: content ?? undefined, active: active ?? undefined, updated_at: new Date() },
    );
    if (affected === 0) throw notFound();
    return toDto(await this.conventions.findOneByOrFail({ team_id, key }));
  }

  async remove(identity: Identity, team_id: string, key: string): Promise<DeletedConventionDto> {
    await this.teams.getManaged(identity, team_id);
    const { affected } = await this.conventions.delete({ team_id, key });
    if (affected === 0) throw notFound();
    return { deleted: true, key };
  }
}

const notFound = (): DomainError => new DomainError('convention_not_found', 'Convention not found');

const toDto = ({ key, content, active }: TeamConvention): ConventionDto => ({ key, content, active });
