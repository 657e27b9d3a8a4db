import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DomainError, type FieldError } from '../../errors/domain-error.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity } from '../auth/identity.js';
import { Tasks } from '../tasks/tasks.facade.js';
import { type BudgetDto } from './budgets.dto.js';
import {
  DAILY_LIMIT,
  DAILY_SPENT,
  TASK_LIMIT,
  taskSpent,
  TEAM_LIMIT,
  teamSpent,
  TODAY,
  WITH_BUDGET,
} from './over-budget.js';
import { unknownRuns } from './unknown-runs.js';

type Amounts = Omit<BudgetDto, 'within_budget' | 'violations'>;

const AMOUNTS = `
  SELECT ${DAILY_SPENT}::float8 AS daily_spent_usd, ${DAILY_LIMIT}::float8 AS daily_limit_usd,
    ${taskSpent('$2')}::float8 AS task_spent_usd, ${TASK_LIMIT}::float8 AS task_limit_usd,
    ${teamSpent('a.team_id')}::float8 AS team_spent_usd, ${TEAM_LIMIT}::float8 AS team_limit_usd,
    ${unknownRuns('agent_id = a.id', `${TODAY} AT TIME ZONE 'utc'`)} AS unknown_runs
  FROM agents a ${WITH_BUDGET} WHERE a.id = $1`;

/** What agents may still spend. */
@Injectable()
export class Budgets {
  constructor(
    private readonly db: DataSource,
    private readonly agents: Agents,
    private readonly tasks: Tasks,
  ) {}

  /** @throws DomainError `agent_not_found`, `task_not_found` for a task that is not of the agent's team */
  async show(identity: Identity, agent_id: string, task_id: number | null): Promise<BudgetDto> {
    const agent = await this.agents.getReachable(identity, agent_id);
    if (task_id !== null) await this.assertOfTeam(identity, task_id, agent.team_id);
    const amounts = await read(this.db.manager, agent_id, task_id);
    const violations = violationsOf(amounts, task_id).map(({ message }) => message);
    return { ...amounts, within_budget: violations.length === 0, violations };
  }

  /** @throws DomainError `task_not_found` */
  async assertOfTeam(identity: Identity, task_id: number, team_id: string): Promise<void> {
    const task = await this.tasks.getReachable(identity, task_id);
    if (task.team_id !== team_id) throw new DomainError('task_not_found', 'Task not found');
  }

  /** @throws DomainError `budget_exceeded` with an entry for each limit that is reached. */
  async assertWithin(
    agent_id: string,
    task_id: number | null,
    manager: EntityManager = this.db.manager,
  ): Promise<void> {
    const errors = violationsOf(await read(manager, agent_id, task_id), task_id);
    if (errors.length > 0)
      throw new DomainError('budget_exceeded', errors.map(({ message }) => message).join('; '), { errors });
  }

  async isOver(agent_id: string, task_id: number | null): Promise<boolean> {
    return violationsOf(await read(this.db.manager, agent_id, task_id), task_id).length > 0;
  }
}

async function read(manager: EntityManager, agent_id: string, task_id: number | null): Promise<Amounts> {
  const [row] = await manager.query<Amounts[]>(AMOUNTS, [agent_id, task_id]);
  if (row === undefined) throw new DomainError('agent_not_found', 'Agent not found');
  return row;
}

function violationsOf(amounts: Amounts, task_id: number | null): FieldError[] {
  const limit = (field: string, what: string, spent: number, most: number | null): FieldError[] =>
    most !== null && spent >= most
      ? [{ field, message: `${what} is reached: $${spent.toFixed(4)} of $${most}` }]
      : [];
  return [
    ...limit(
      'daily_cost_limit_usd',
      "The agent's daily limit",
      amounts.daily_spent_usd,
      amounts.daily_limit_usd,
    ),
    ...limit(
      'daily_team_cost_limit_usd',
      "The team's daily limit",
      amounts.team_spent_usd,
      amounts.team_limit_usd,
    ),
    ...(task_id === null
      ? []
      : limit('task_cost_limit_usd', "The task's limit", amounts.task_spent_usd, amounts.task_limit_usd)),
  ];
}
