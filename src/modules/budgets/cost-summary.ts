import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type Identity } from '../auth/identity.js';
import { Teams } from '../teams/teams.service.js';
import { type AgentCostDto, type CostSummaryDto, type ModelCostDto } from './budgets.dto.js';
import { TODAY } from './over-budget.js';
import { isPriceKnown } from './prices.js';
import { unknownRuns } from './unknown-runs.js';

const SINCE = `((${TODAY} - ($2::int - 1)) AT TIME ZONE 'utc')`;

const SUMMARY = `
  WITH used AS MATERIALIZED (
    SELECT s.*, a.name AS agent_name FROM agent_sessions s JOIN agents a ON a.id = s.agent_id
    WHERE s.team_id = $1 AND s.started_at >= ${SINCE}
  )
  SELECT coalesce(sum(cost_usd), 0)::float8 AS total_cost_usd, coalesce(sum(tokens_in), 0)::float8 AS total_tokens_in,
    coalesce(sum(tokens_out), 0)::float8 AS total_tokens_out, count(*)::int AS session_count,
    ${unknownRuns('team_id = $1', SINCE)} AS unknown_runs,
    coalesce((SELECT jsonb_agg(p ORDER BY p.cost_usd DESC, p.agent_name) FROM (
      SELECT agent_id, agent_name, sum(cost_usd) AS cost_usd, count(*) AS sessions
      FROM used GROUP BY agent_id, agent_name) p), '[]') AS per_agent,
    coalesce((SELECT jsonb_agg(p ORDER BY p.cost_usd DESC, p.model) FROM (
      SELECT model, sum(cost_usd) AS cost_usd, count(*) AS sessions FROM used GROUP BY model) p), '[]') AS per_model
  FROM used`;

type Row = Omit<CostSummaryDto, 'team_id' | 'period_days' | 'per_model'> & {
  per_agent: AgentCostDto[];
  per_model: Omit<ModelCostDto, 'price_known'>[];
};

/** What a team spent, by agent and by model. */
@Injectable()
export class CostSummary {
  constructor(
    private readonly db: DataSource,
    private readonly teams: Teams,
  ) {}

  async of(identity: Identity, team_id: string, days: number): Promise<CostSummaryDto> {
    await this.teams.getReachable(identity, team_id);
    const [row] = await this.db.query<Row[]>(SUMMARY, [team_id, days]);
    if (row === undefined) throw new Error('the summary answers one row');
    return {
      team_id,
      period_days: days,
      ...row,
      per_model: row.per_model.map((model) => ({ ...model, price_known: isPriceKnown(model.model) })),
    };
  }
}
