import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, Repository } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { markTeamsChanged } from '../../database/notify-on-commit.js';
import { pageByName } from '../../database/page-by-name.js';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Page, type PageQuery } from '../../http/pagination.js';
import { SecretBox } from '../../secrets/secret-box.js';
import { type Identity, reachable } from '../auth/identity.js';
import { Agent, DEFAULT_MODEL } from './agent.entity.js';
import { type AgentDto, type CreateAgentDto } from './agents.dto.js';
import { assignRuntime, runtimeSecretPurpose } from './assign-runtime.js';
import { checkCostLimits } from './cost-limits.js';

/** The agents of teams. */
@Injectable()
export class Agents {
  constructor(
    @InjectRepository(Agent) private readonly agents: Repository<Agent>,
    private readonly secrets: SecretBox,
  ) {}

  /**
   * @param team one that the caller may manage.
   * @param manager of the transaction to take part in, if any.
   */
  async create(
    team: { id: string; org_id: string },
    dto: CreateAgentDto,
    manager?: EntityManager,
  ): Promise<AgentDto> {
    if (manager === undefined)
      return this.agents.manager.transaction((transaction) => this.create(team, dto, transaction));
    checkCostLimits(dto.config);
    const agent = manager.create(Agent, {
      id: newId(),
      org_id: team.org_id,
      team_id: team.id,
      name: dto.name,
      role: dto.role ?? 'engineer',
      model: dto.model ?? (await defaultModel(manager, team.id)),
      config: dto.config ?? {},
      runtime: 'pull',
      runtime_config: {},
      status: 'idle',
    });
    const runtime_secret = assignRuntime(agent, dto, this.secrets);
    await orNameTaken(manager.insert(Agent, agent as object));
    markIdle(manager, agent);
    return toAgentDto(agent, runtime_secret);
  }

  async list(identity: Identity, team_id: string, query: PageQuery): Promise<Page<AgentDto>> {
    const rows = this.agents.createQueryBuilder('agent').where({ ...reachable(identity) });
    const page = await pageByName(rows.andWhere('agent.team_id = :team_id', { team_id }), query);
    return page.map((agent) => toAgentDto(agent));
  }

  /** Every agent of a team, for its detail. */
  async ofTeam(team_id: string): Promise<AgentDto[]> {
    const agents = await this.agents.find({ where: { team_id }, order: { name: 'ASC', id: 'ASC' } });
    return agents.map((agent) => toAgentDto(agent));
  }

  /** @throws DomainError `agent_not_found` */
  async getReachable(identity: Identity, id: string): Promise<Agent> {
    return found(await this.agents.findOneBy({ id, ...reachable(identity) }));
  }

  /** @throws DomainError `agent_not_found` */
  async getInOrganization(org_id: string, id: string): Promise<Agent> {
    return found(await this.agents.findOneBy({ id, org_id }));
  }

  /** The key that calls to the agent's `http` runtime are signed with; null for another runtime. */
  async runtimeSecret(id: string): Promise<string | null> {
    const agent = await this.agents.findOne({ where: { id }, select: { id: true, runtime_secret: true } });
    return agent === null ? null : this.openRuntimeSecret(agent);
  }

  /** The same of an agent that was read with its `runtime_secret`. */
  openRuntimeSecret({ id, runtime_secret }: Pick<Agent, 'id' | 'runtime_secret'>): string | null {
    return runtime_secret === null ? null : this.secrets.open(runtime_secret, runtimeSecretPurpose(id));
  }
}

function found(agent: Agent | null): Agent {
  if (agent === null) throw new DomainError('agent_not_found', 'Agent not found');
  return agent;
}

/** What the team has set for agents that are made without a model. */
async function defaultModel(manager: EntityManager, team_id: string): Promise<string> {
  const [row] = await manager.query<{ model: string | null }[]>(
    `SELECT "values"->>'default_model' AS model FROM team_settings WHERE team_id = $1`,
    [team_id],
  );
  return row?.model ?? DEFAULT_MODEL;
}

/** Lets the dispatchers know of an agent that may have work now, when this transaction is committed. */
export function markIdle(manager: EntityManager, agent: Agent): void {
  if (manager.queryRunner) markTeamsChanged(manager.queryRunner, [agent.team_id]);
}

/** Tells a second agent of one name from other failures. */
export const orNameTaken = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    if (violatesUnique(error, 'agents_team_name_key'))
      throw new DomainError('name_taken', 'An agent of this name is already in the team');
    throw error;
  });

export const toAgentDto = (agent: Agent, runtime_secret?: string | null): AgentDto => ({
  id: agent.id,
  team_id: agent.team_id,
  name: agent.name,
  role: agent.role,
  model: agent.model,
  config: agent.config,
  runtime: agent.runtime,
  runtime_config: agent.runtime_config,
  status: agent.status,
  created_at: agent.created_at,
  ...(runtime_secret ? { runtime_secret } : {}),
});
