import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, In, Not, Repository } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { pageByName } from '../../database/page-by-name.js';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Page, type PageQuery } from '../../http/pagination.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertManagesAny } from '../auth/permissions.js';
import { inspectRepository } from './inspect-repository.js';
import { type CreateRepositoryDto, type FoundRepositoryDto, type RepositoryDto } from './repositories.dto.js';
import { type RepositoryVerdictDto } from './repositories.dto.js';
import { RepositoryPaths } from './repository-paths.js';
import { CodeRepository } from './repository.entity.js';
import { scanRepositories } from './scan-repositories.js';

/** One answer for a path that is outside, not there, no repository or another tenant's: it tells nothing of the disk. */
const NO_REPOSITORY = 'not a git repository under ENTOURAGE_REPOS_DIR that your organization can use';

/** Git repositories on the server's disk. A path belongs to the first organization that registers it. */
@Injectable()
export class Repositories {
  constructor(
    @InjectRepository(CodeRepository) private readonly repositories: Repository<CodeRepository>,
    private readonly paths: RepositoryPaths,
  ) {}

  /** @param team one that the caller may manage. */
  async create(team: { id: string; org_id: string }, dto: CreateRepositoryDto): Promise<RepositoryDto> {
    const path = await this.paths.resolve(dto.local_path);
    if (path === null || (await inspectRepository(path)) === null) throw noRepository();
    const row = this.repositories.create({
      id: newId(),
      org_id: team.org_id,
      team_id: team.id,
      name: dto.name,
      local_path: path,
      default_branch: dto.default_branch ?? 'main',
      config: dto.config ?? {},
    });
    try {
      await this.repositories.manager.transaction(async (manager) => {
        // Two organizations that register one path at the same moment: the second sees the first.
        await manager.query(`SELECT pg_advisory_xact_lock(hashtextextended('repository:' || $1, 0))`, [path]);
        if (await isOthers(manager, path, [team.org_id])) throw noRepository();
        await manager.insert(CodeRepository, row as object);
      });
    } catch (error) {
      if (violatesUnique(error, 'repositories_team_name_key'))
        throw new DomainError('name_taken', 'A repository of this name is already in the team');
      throw error;
    }
    return toRepositoryDto(row);
  }

  async list(identity: Identity, team_id: string, query: PageQuery): Promise<Page<RepositoryDto>> {
    const rows = this.repositories.createQueryBuilder('repository').where({ ...reachable(identity) });
    const page = await pageByName(rows.andWhere('repository.team_id = :team_id', { team_id }), query);
    return page.map(toRepositoryDto);
  }

  /** Every repository of a team, for its detail. */
  async ofTeam(team_id: string): Promise<RepositoryDto[]> {
    const rows = await this.repositories.find({ where: { team_id }, order: { name: 'ASC', id: 'ASC' } });
    return rows.map(toRepositoryDto);
  }

  /** @throws DomainError `repository_not_found` */
  async getReachable(identity: Identity, id: string): Promise<CodeRepository> {
    const row = await this.repositories.findOneBy({ id, ...reachable(identity) });
    if (row === null) throw new DomainError('repository_not_found', 'Repository not found');
    return row;
  }

  async validate(identity: Identity, local_path: string): Promise<RepositoryVerdictDto> {
    assertManagesAny(identity);
    const path = await this.paths.resolve(local_path);
    const facts =
      path === null || (await isOthers(this.repositories.manager, path, identity.org_ids))
        ? null
        : await inspectRepository(path);
    return facts === null
      ? { valid: false, is_dirty: false, error: NO_REPOSITORY }
      : { valid: true, ...facts };
  }

  /** What could be registered, or is by the caller's own organizations. */
  async scan(identity: Identity): Promise<FoundRepositoryDto[]> {
    assertManagesAny(identity);
    const root = await this.paths.root();
    if (root === null) return [];
    const others = await this.repositories.find({
      where: { org_id: Not(In(identity.org_ids)) },
      select: { id: true, local_path: true },
    });
    const taken = new Set(others.map((row) => row.local_path));
    const found = await scanRepositories(root, (path) => !taken.has(path));
    return found.map(({ name, path, default_branch, remote_url, is_dirty }) => ({
      name,
      path,
      default_branch,
      remote_url,
      is_dirty,
    }));
  }
}

const isOthers = (manager: EntityManager, local_path: string, org_ids: string[]): Promise<boolean> =>
  manager.existsBy(CodeRepository, { local_path, org_id: Not(In(org_ids)) });

const noRepository = (): DomainError =>
  new DomainError('validation_failed', `Validation failed: local_path: ${NO_REPOSITORY}`, {
    errors: [{ field: 'local_path', message: NO_REPOSITORY }],
  });

const toRepositoryDto = (row: CodeRepository): RepositoryDto => ({
  id: row.id,
  team_id: row.team_id,
  name: row.name,
  local_path: row.local_path,
  default_branch: row.default_branch,
  config: row.config,
  created_at: row.created_at,
});
