import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { markTeamsChanged } from '../../database/notify-on-commit.js';
import { Agent } from '../agents/agent.entity.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity } from '../auth/identity.js';
import { assertActsFor } from '../auth/permissions.js';
import { AgentSession } from './agent-session.entity.js';
import { Budgets } from './budgets.service.js';
import { type StartSessionDto } from './sessions.dto.js';

/**
 * Starts sessions. Inside a run a session is the run's and changes nothing about the agent. Outside of runs it makes an
 * idle agent work, so that no run is claimed for it until its last session has ended; a claim holds the agent's row as
 * this does, so that never both happen.
 */
@Injectable()
export class StartSession {
  constructor(
    private readonly db: DataSource,
    private readonly agents: Agents,
    private readonly budgets: Budgets,
  ) {}

  /**
   * @throws DomainError `agent_not_found`, `task_not_found`, `run_not_found`; `budget_exceeded`; `run_not_current` for a
   * run that is not the agent's present one, `conflict` for another task than the run's, `agent_not_idle` when paused.
   */
  async start(identity: Identity, dto: StartSessionDto): Promise<AgentSession> {
    const agent = await this.agents.getReachable(identity, dto.agent_id);
    assertActsFor(identity, agent.id);
    const asked = dto.task_id ?? null;
    if (asked !== null) await this.budgets.assertOfTeam(identity, asked, agent.team_id);
    return this.db.transaction(async (manager) => {
      const { status } = await manager.findOneOrFail(Agent, {
        where: { id: agent.id },
        lock: { mode: 'for_no_key_update' },
      });
      const run = await currentRun(manager, agent, dto.run_id ?? null);
      if (run !== null && asked !== null && run.task_id !== asked)
        throw new DomainError('conflict', `The agent is in a run of task ${run.task_id}`);
      const task_id = run?.task_id ?? asked;
      await this.budgets.assertWithin(agent.id, task_id, manager);
      if (run === null) await occupy(manager, agent, status);
      return manager.save(
        manager.create(AgentSession, {
          org_id: agent.org_id,
          team_id: agent.team_id,
          agent_id: agent.id,
          task_id,
          run_id: run?.id ?? null,
          model: dto.model ?? agent.model,
        }),
      );
    });
  }
}

async function currentRun(
  manager: EntityManager,
  agent: Agent,
  asked: string | null,
): Promise<{ id: string; task_id: number } | null> {
  const [run] = await manager.query<{ id: string; task_id: number }[]>(
    'SELECT id, task_id FROM agent_runs WHERE agent_id = $1 AND finished_at IS NULL',
    [agent.id],
  );
  if (asked === null || run?.id === asked.toLowerCase()) return run ?? null;
  const known = await manager.query<unknown[]>('SELECT FROM agent_runs WHERE id = $1 AND agent_id = $2', [
    asked,
    agent.id,
  ]);
  throw known.length === 0
    ? new DomainError('run_not_found', 'Run not found')
    : new DomainError('run_not_current', 'The run has ended');
}

async function occupy(manager: EntityManager, agent: Agent, status: Agent['status']): Promise<void> {
  if (status === 'paused') throw new DomainError('agent_not_idle', `Agent is not idle (status: ${status})`);
  if (status === 'working') return;
  await manager.update(Agent, { id: agent.id }, { status: 'working' });
  if (manager.queryRunner) markTeamsChanged(manager.queryRunner, [agent.team_id]);
}
