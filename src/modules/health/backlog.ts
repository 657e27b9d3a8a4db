import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { MAY_START } from '../tasks/tasks.facade.js';
import { AGENT_OVER_BUDGET, taskOverBudget } from '../budgets/budgets.facade.js';

/** What waits and what runs, over all tenants: numbers only. */
export interface BacklogFacts {
  /** Tasks that nothing but the lack of an agent keeps from being worked on. */
  waiting_tasks: number;
  /** Of the one that has waited longest; null when none waits. */
  oldest_waiting_seconds: number | null;
  active_runs: number;
}

interface Row extends BacklogFacts {
  /** Waiting tasks for which an agent that the dispatcher starts is idle. Each is gone within moments when all is well. */
  startable: number[];
}

const FACTS = `
WITH waiting AS MATERIALIZED (
  SELECT t.id, t.team_id, t.assignee_id, t.auto_assign, t.auto_assign_role,
    GREATEST(t.created_at, t.dispatch_after) AS since
  FROM tasks t
  WHERE ${MAY_START} AND (t.assignee_id IS NOT NULL OR t.auto_assign)
    AND (t.dispatch_after IS NULL OR t.dispatch_after <= now())
)
SELECT
  (SELECT count(*) FROM waiting)::int AS waiting_tasks,
  (SELECT extract(epoch FROM now() - min(since)) FROM waiting)::float AS oldest_waiting_seconds,
  (SELECT count(*) FROM agent_runs WHERE finished_at IS NULL)::int AS active_runs,
  ARRAY(
    SELECT w.id::float FROM waiting w
    WHERE EXISTS (
      SELECT FROM agents a
      WHERE a.team_id = w.team_id AND a.status = 'idle' AND a.runtime IN ('command', 'http')
        AND (a.id = w.assignee_id
          OR w.auto_assign AND (w.auto_assign_role IS NULL OR w.auto_assign_role = a.role))
        AND NOT ${AGENT_OVER_BUDGET} AND NOT ${taskOverBudget('w.id')})
    ORDER BY w.since LIMIT 100
  ) AS startable`;

const FRESH_MS = 1_000;

/**
 * The dispatcher's backlog. A task may rightly wait for days while every agent is busy, so age alone says nothing: what
 * is watched is how long a task that could start at once has been seen not to.
 */
@Injectable()
export class Backlog {
  /** Since when, by a clock that nobody sets. */
  private readonly seen = new Map<number, number>();
  private latest: { at: number; facts: Promise<BacklogFacts> } | undefined;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
  ) {}

  /** At most once a second, whoever asks. */
  facts(): Promise<BacklogFacts> {
    const now = performance.now();
    if (this.latest === undefined || now - this.latest.at > FRESH_MS)
      this.latest = { at: now, facts: this.read() };
    return this.latest.facts;
  }

  /** Seconds for which a task that could start has been seen waiting, as of the last look. */
  overdueSeconds(): number {
    const now = performance.now();
    return (now - Math.min(now, ...this.seen.values())) / 1000;
  }

  isOverdue(): boolean {
    return this.overdueSeconds() > this.settings.ENTOURAGE_MAX_DISPATCH_WAIT_SECONDS;
  }

  private async read(): Promise<BacklogFacts> {
    const rows: Row[] = await this.db.query(FACTS);
    const [row] = rows;
    if (row === undefined) throw new Error('the backlog query answers one row');
    const { startable, ...facts } = row;
    for (const id of this.seen.keys()) if (!startable.includes(id)) this.seen.delete(id);
    for (const id of startable) if (!this.seen.has(id)) this.seen.set(id, performance.now());
    return facts;
  }
}
