import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { BudgetDto, BudgetQuery, CostsQuery, CostSummaryDto } from './budgets.dto.js';
import { Budgets } from './budgets.service.js';
import { CostSummary } from './cost-summary.js';

@ApiTags('costs')
@AgentRoute()
@Controller()
export class BudgetsController {
  constructor(
    private readonly budgets: Budgets,
    private readonly costs: CostSummary,
  ) {}

  /** What an agent has spent and may spend; with `task_id`, also on that task. */
  @Get('agents/:agent_id/budget')
  budget(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
    @Query() query: BudgetQuery,
  ): Promise<BudgetDto> {
    return this.budgets.show(identity, agent_id, query.task_id ?? null);
  }

  /** What a team spent in the last days (UTC), by agent and by model. */
  @Get('teams/:team_id/costs')
  summary(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Query() query: CostsQuery,
  ): Promise<CostSummaryDto> {
    return this.costs.of(identity, team_id, query.days ?? 7);
  }
}
