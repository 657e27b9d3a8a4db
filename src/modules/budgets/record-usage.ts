import { type EntityManager } from 'typeorm';
import { AgentSession } from './agent-session.entity.js';
import { TODAY } from './over-budget.js';
import { costOf, KINDS, type Usage } from './prices.js';

const ADD = `
  WITH session AS (
    UPDATE agent_sessions SET tokens_in = tokens_in + $2, tokens_out = tokens_out + $3, cache_read = cache_read + $4,
      cache_write = cache_write + $5, cost_usd = cost_usd + $6::numeric * 0.00000001, usage_reported_at = now(),
      last_seen_at = now()
    WHERE id = $1 RETURNING agent_id, team_id
  )
  INSERT INTO daily_costs AS d (agent_id, day, team_id, cost_usd)
  SELECT agent_id, ${TODAY}, team_id, $6::numeric * 0.00000001 FROM session WHERE $6::numeric > 0
  ON CONFLICT (agent_id, day) DO UPDATE SET cost_usd = d.cost_usd + excluded.cost_usd`;

/**
 * Adds to a session and to its agent's day, in one statement: of any number at once, none is lost. Also after the
 * session's end: what was spent was spent.
 */
export async function addUsage(
  manager: EntityManager,
  { id, model }: Pick<AgentSession, 'id' | 'model'>,
  usage: Usage,
): Promise<void> {
  await manager.query(ADD, [id, ...KINDS.map((kind) => usage[kind]), String(costOf(model, usage))]);
}

/** The run that reports, as dispatch knows it. */
export interface ReportingRun {
  id: string;
  org_id: string;
  team_id: string;
  agent_id: string;
  task_id: number;
}

/** Totals of the run so far, of one model. */
export interface RunUsage extends Partial<Usage> {
  /** The agent's, if left out. */
  model?: string | null;
}

const OPEN = `
  INSERT INTO agent_sessions (org_id, team_id, agent_id, task_id, run_id, of_run, model)
  SELECT $1, $2, a.id, $4, $5, true, coalesce($6, a.model) FROM agents a WHERE a.id = $3
  ON CONFLICT (run_id, model) WHERE of_run DO UPDATE SET last_seen_at = now()
  RETURNING id, model, tokens_in, tokens_out, cache_read, cache_write`;

/**
 * Keeps what a run says it has used so far, in the manager's transaction. Totals can be said again, and a smaller one
 * that comes late changes nothing. The conflict's update holds the row still until the difference is added.
 */
export async function recordRunUsage(
  manager: EntityManager,
  run: ReportingRun,
  usage: RunUsage,
): Promise<void> {
  const [session] = await manager.query<(Usage & { id: number; model: string })[]>(OPEN, [
    run.org_id,
    run.team_id,
    run.agent_id,
    run.task_id,
    run.id,
    usage.model ?? null,
  ]);
  if (session === undefined) return;
  const grown = (kind: keyof Usage): number => Math.max(0, (usage[kind] ?? 0) - session[kind]);
  await addUsage(manager, session, {
    tokens_in: grown('tokens_in'),
    tokens_out: grown('tokens_out'),
    cache_read: grown('cache_read'),
    cache_write: grown('cache_write'),
  });
}
