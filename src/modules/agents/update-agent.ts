import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { SecretBox } from '../../secrets/secret-box.js';
import { type Identity } from '../auth/identity.js';
import { assertMayManage } from '../auth/permissions.js';
import { Agent } from './agent.entity.js';
import { type AgentDto, type UpdateAgentDto } from './agents.dto.js';
import { Agents, markIdle, orNameTaken, toAgentDto } from './agents.service.js';
import { assignRuntime } from './assign-runtime.js';
import { checkCostLimits } from './cost-limits.js';

/**
 * Whether the agent has a run, which this transaction then holds still. Taken before the agent's row, in the order of
 * a run that ends: else it could end unseen between the two, and the agent would stay `working` for ever.
 */
const ACTIVE_RUN = `SELECT id FROM agent_runs WHERE agent_id = $1 AND finished_at IS NULL FOR NO KEY UPDATE`;

/** A session outside of runs is work too; it starts and ends under the lock of the agent's row. */
const OPEN_SESSION = `SELECT FROM agent_sessions WHERE agent_id = $1 AND ended_at IS NULL AND run_id IS NULL LIMIT 1`;

/** Changes an agent, one change at a time. */
@Injectable()
export class UpdateAgent {
  constructor(
    private readonly db: DataSource,
    private readonly agents: Agents,
    private readonly secrets: SecretBox,
  ) {}

  async update(identity: Identity, id: string, dto: UpdateAgentDto): Promise<AgentDto> {
    const { org_id } = await this.agents.getReachable(identity, id);
    assertMayManage(identity, org_id);
    checkCostLimits(dto.config);
    return orNameTaken(this.db.transaction((manager) => this.change(manager, id, dto)));
  }

  private async change(manager: EntityManager, id: string, dto: UpdateAgentDto): Promise<AgentDto> {
    const finds = async (sql: string): Promise<boolean> =>
      (await manager.query<unknown[]>(sql, [id])).length > 0;
    const hasRun = dto.status === 'idle' && (await finds(ACTIVE_RUN));
    const agent = await manager.findOneOrFail(Agent, { where: { id }, lock: { mode: 'pessimistic_write' } });
    const isWorking = hasRun || (dto.status === 'idle' && (await finds(OPEN_SESSION)));
    const runtime_secret = assignRuntime(agent, dto, this.secrets);
    agent.name = dto.name ?? agent.name;
    agent.role = dto.role ?? agent.role;
    agent.model = dto.model ?? agent.model;
    agent.config = { ...agent.config, ...dto.config };
    agent.status = nextStatus(agent, dto.status, isWorking);
    await manager.save(Agent, agent);
    if (agent.status === 'idle') markIdle(manager, agent);
    return toAgentDto(agent, runtime_secret);
  }
}

/** A paused agent finishes its run; taken off its pause meanwhile, it is at work and not idle. */
function nextStatus(
  agent: Agent,
  asked: UpdateAgentDto['status'] | null,
  isWorking: boolean,
): Agent['status'] {
  if (!asked || asked === agent.status) return agent.status;
  if (asked === 'paused') return 'paused';
  if (agent.status === 'working')
    throw new DomainError('conflict', 'The agent is working: it becomes idle when its run ends, or pause it');
  return isWorking ? 'working' : 'idle';
}
