import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { type Agent } from '../agents/agent.entity.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertActsFor } from '../auth/permissions.js';
import { Budgets } from '../budgets/budgets.facade.js';
import { Task } from '../tasks/task.entity.js';
import { TaskCreation } from '../tasks/tasks.facade.js';
import { type ClaimedRun, type ClaimRequest } from './claim-run.js';
import { DispatchStatus } from './dispatch-status.js';
import { type StartAgentDto, type StartedAgentDto } from './run.dto.js';
import { RunLifecycle } from './run-lifecycle.js';

/** Starts one agent because a person asked for it. */
@Injectable()
export class StartAgent {
  constructor(
    private readonly db: DataSource,
    private readonly agents: Agents,
    private readonly creation: TaskCreation,
    private readonly lifecycle: RunLifecycle,
    private readonly status: DispatchStatus,
    private readonly budgets: Budgets,
  ) {}

  /**
   * With `task_id` that task, else the most urgent one for the agent, else a task made of the prompt.
   * @throws DomainError `agent_not_found`, `task_not_found`, `agent_not_idle`, `budget_exceeded`; `blocked_by_dependencies`,
   * `subtasks_open`, `invalid_transition` or `conflict` when the task cannot be started.
   */
  async start(identity: Identity, agent_id: string, dto: StartAgentDto): Promise<StartedAgentDto> {
    const agent = await this.agents.getReachable(identity, agent_id);
    assertActsFor(identity, agent.id);
    if (agent.status !== 'idle') throw notIdle(agent);
    if (typeof dto.task_id === 'number')
      await this.budgets.assertOfTeam(identity, dto.task_id, agent.team_id);
    await this.budgets.assertWithin(agent.id, dto.task_id ?? null);
    const run =
      dto.task_id === undefined || dto.task_id === null
        ? await this.startMostUrgent(identity, agent, dto)
        : await this.startTask(identity, agent, dto.task_id, dto);
    return {
      status: 'started',
      message: `${agent.name} was started on task ${run.task_id}`,
      agent_id: agent.id,
      task_id: run.task_id,
      run_id: run.run_id,
    };
  }

  private async startTask(
    identity: Identity,
    agent: Agent,
    task_id: number,
    dto: StartAgentDto,
  ): Promise<ClaimedRun> {
    const task = await this.db
      .getRepository(Task)
      .findOneBy({ id: task_id, team_id: agent.team_id, ...inReach(identity) });
    if (task === null) throw new DomainError('task_not_found', 'Task not found');
    const run = await this.lifecycle.claim({ ...request(identity, agent, dto), task_id });
    if (run !== null) return run;
    await this.assertStillIdle(identity, agent);
    const reason = await this.status.reason(task_id);
    if (reason === null)
      throw new DomainError(
        'invalid_transition',
        `Task ${task_id} is '${task.status}': only a task in 'todo' can be started`,
      );
    if (reason === 'blocked')
      throw new DomainError('blocked_by_dependencies', `Task ${task_id} waits for tasks that are not done`);
    if (reason === 'subtasks')
      throw new DomainError('subtasks_open', `Task ${task_id} waits for its sub-tasks`);
    const why = reason === 'held' ? `held (${task.hold_reason ?? 'unknown'})` : reason;
    throw new DomainError('conflict', `Task ${task_id} cannot be started now: ${why}`);
  }

  private async startMostUrgent(identity: Identity, agent: Agent, dto: StartAgentDto): Promise<ClaimedRun> {
    const waiting = await this.lifecycle.claim(request(identity, agent, dto));
    if (waiting !== null) return waiting;
    await this.assertStillIdle(identity, agent);
    if (dto.prompt === undefined) throw new DomainError('conflict', 'No task is waiting for this agent');
    const [firstLine = ''] = dto.prompt.trim().split('\n', 1);
    const title = Array.from(firstLine).slice(0, 200).join('').trim() || 'Task of an operator';
    const task = await this.creation.create(identity, agent.team_id, {
      title,
      description: dto.prompt,
      assignee_id: agent.id,
    });
    // A dispatcher may have been faster: then the agent is working on it already.
    const run = await this.lifecycle.claim({ ...request(identity, agent, dto), task_id: task.id });
    return run ?? this.startedByOther(identity, agent, task.id);
  }

  private async startedByOther(identity: Identity, agent: Agent, task_id: number): Promise<ClaimedRun> {
    const [run] = await this.db.query<ClaimedRun[]>(
      `SELECT id AS run_id, fencing_token, attempt, runtime, org_id, team_id, task_id, agent_id, correlation_id
       FROM agent_runs WHERE task_id = $1 AND agent_id = $2 ORDER BY attempt DESC LIMIT 1`,
      [task_id, agent.id],
    );
    if (run !== undefined) return run;
    await this.assertStillIdle(identity, agent);
    throw new DomainError('conflict', `Task ${task_id} was made, but could not be started now`);
  }

  private async assertStillIdle(identity: Identity, agent: Agent): Promise<void> {
    const now = await this.agents.getReachable(identity, agent.id);
    if (now.status !== 'idle') throw notIdle(now);
  }
}

const inReach = (identity: Identity): { org_id: ReturnType<typeof reachable>['org_id'] } => ({
  org_id: reachable(identity).org_id,
});

const notIdle = (agent: Agent): DomainError =>
  new DomainError('agent_not_idle', `Agent is not idle (status: ${agent.status})`);

const request = (
  identity: Identity,
  agent: Agent,
  dto: StartAgentDto,
): Omit<ClaimRequest, 'lease_seconds'> => ({
  team_id: agent.team_id,
  agent_id: agent.id,
  dispatcher: null,
  instruction: dto.prompt,
  requested_by: identity.actor,
});
