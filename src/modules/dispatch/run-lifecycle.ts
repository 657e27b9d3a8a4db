import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { markRunsChanged, markTeamsChanged } from '../../database/notify-on-commit.js';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { Metrics } from '../../metrics/metrics.js';
import {
  AgentSessions,
  recordRunUsage,
  type ReportingRun,
  type RunUsage,
} from '../budgets/budgets.facade.js';
import { TaskIntake, TaskTransitions, type TaskTransition } from '../tasks/tasks.facade.js';
import { IS_ACTIVE } from './active-run.js';
import { type AgentRun } from './agent-run.entity.js';
import { claimRuns, type ClaimedRun, type ClaimRequest, type Claims } from './claim-run.js';
import { redactRuns } from './redact-runs.js';
import { BUDGET_EXCEEDED, finishRun, notCurrent, type RunRef, type RunResult } from './finish-run.js';

/** What a heartbeat is answered. */
export interface Heartbeat {
  lease_seconds: number;
  cancel_requested: boolean;
  cancel_reason: string | null;
}

const ACTIVE_KEYS = ['agent_runs_active_task_key', 'agent_runs_active_agent_key', 'agent_runs_task_idx'];
const EXPIRED = 'The agent gave no sign of life before its lease was over';

/** The life of runs, from claim to end; every write but the claim names the run and its fencing token. */
@Injectable()
export class RunLifecycle {
  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly transitions: TaskTransitions,
    private readonly metrics: Metrics,
    private readonly sessions: AgentSessions,
    intake: TaskIntake,
  ) {
    transitions.onTransition(cancelWhenTakenAway);
    transitions.closeNoneThatIs(inActiveRun);
    intake.onRedaction(redactRuns);
    sessions.onExceeded((run_id) => this.stopForBudget(run_id));
  }

  get leaseSeconds(): number {
    return this.settings.ENTOURAGE_RUN_LEASE_SECONDS;
  }

  /** @returns null when there is nothing to claim. */
  async claim(request: Omit<ClaimRequest, 'lease_seconds' | 'limit'>): Promise<ClaimedRun | null> {
    return (await this.claimSeveral({ ...request, limit: 1 })).runs[0] ?? null;
  }

  /** All in one transaction: a commit costs more than the claims in it. */
  async claimSeveral(request: Omit<ClaimRequest, 'lease_seconds'>): Promise<Claims> {
    for (let attempt = 1; ; attempt += 1)
      try {
        const claims = await this.db.transaction(async (manager) => {
          const claims = await claimRuns(manager, { ...request, lease_seconds: this.leaseSeconds });
          // A run that nobody supervises yet is adopted by a dispatcher, which must hear of it.
          if (request.dispatcher === null)
            for (const { team_id, run_id } of claims.runs) mark(manager, team_id, run_id);
          return claims;
        });
        for (const { attempt: tries, waited_seconds } of claims.runs)
          if (tries === 1) this.metrics.observe('dispatch_wait', waited_seconds);
        return claims;
      } catch (error) {
        // Between this statement's snapshot and its lock another claim came and went: look again.
        if (attempt >= 5 || !ACTIVE_KEYS.some((key) => violatesUnique(error, key))) throw error;
      }
  }

  /** Takes over runs that an API process started: a dispatcher must supervise them. */
  async adopt(dispatcher: string, limit: number): Promise<ClaimedRun[]> {
    const [rows] = await this.db.query<[ClaimedRun[], number]>(
      `UPDATE agent_runs r SET dispatcher = $1
       FROM (
         SELECT id FROM agent_runs
         WHERE status = 'starting' AND dispatcher IS NULL
           AND runtime IN ('command', 'http') AND lease_expires_at > clock_timestamp()
         ORDER BY started_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
       ) picked
       WHERE r.id = picked.id
       RETURNING r.id AS run_id, r.fencing_token, r.attempt, r.runtime, r.org_id, r.team_id, r.task_id, r.agent_id,
         NULL AS previous_assignee_id, r.correlation_id, 0 AS waited_seconds`,
      [dispatcher, limit],
    );
    return rows;
  }

  /**
   * Keeps what the agent is told, and which messages are part of it; the lease begins anew.
   * @returns false when the run was asked to stop before its work began: nothing is kept, and it must not begin.
   * @throws DomainError `run_not_current`
   */
  async keepPrompt(ref: RunRef, prompt: string, message_ids: number[]): Promise<boolean> {
    const values = [ref.id, ref.fencing_token, prompt, message_ids, this.leaseSeconds];
    const kept = await preparedBy(this.db.manager, KEEP_PROMPT, values);
    if (kept.length > 0) return true;
    if (await this.isCancelled(ref)) return false;
    throw notCurrent();
  }

  private async isCancelled({ id, fencing_token }: RunRef): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      `SELECT 1 FROM agent_runs WHERE id = $1 AND fencing_token = $2 AND ${IS_ACTIVE}
         AND lease_expires_at > clock_timestamp() AND cancel_requested_at IS NOT NULL`,
      [id, fencing_token],
    );
    return rows.length > 0;
  }

  /**
   * A sign of life: extends the lease, and makes a run that was starting a running one. A run that was asked to stop
   * gets two leases more, no matter how often it reports; one of an `http` agent lasts no longer than its timeout.
   * @throws DomainError `run_not_current`
   */
  async heartbeat(ref: RunRef, progress: string | null = null): Promise<Heartbeat> {
    const [rows] = await this.db.query<[Pick<AgentRun, 'cancel_requested_at' | 'cancel_reason'>[], number]>(
      `UPDATE agent_runs r SET heartbeat_at = clock_timestamp(), status = 'running',
         work_started_at = coalesce(work_started_at, clock_timestamp()), summary = coalesce($4, summary),
         lease_expires_at = least(clock_timestamp() + make_interval(secs => $3),
           cancel_requested_at + 2 * make_interval(secs => $3),
           (SELECT r.started_at + make_interval(secs => (a.runtime_config->>'timeout_seconds')::float8)
            FROM agents a WHERE a.id = r.agent_id AND r.runtime = 'http'))
       WHERE id = $1 AND fencing_token = $2 AND ${IS_ACTIVE} AND lease_expires_at > clock_timestamp()
       RETURNING cancel_requested_at, cancel_reason`,
      [ref.id, ref.fencing_token, this.leaseSeconds, progress],
    );
    const [run] = rows;
    if (run === undefined) throw notCurrent();
    return {
      lease_seconds: this.leaseSeconds,
      cancel_requested: run.cancel_requested_at !== null,
      cancel_reason: run.cancel_reason,
    };
  }

  /**
   * Keeps what the run says it has used so far, and asks it to stop when that reaches a limit.
   * @throws DomainError `run_not_current`
   */
  async reportUsage(ref: RunRef, usage: RunUsage): Promise<void> {
    const run = await this.db.transaction(async (manager) => {
      const [run] = await manager.query<ReportingRun[]>(
        `SELECT id, org_id, team_id, agent_id, task_id FROM agent_runs
         WHERE id = $1 AND fencing_token = $2 AND ${IS_ACTIVE} AND lease_expires_at > clock_timestamp()
         FOR NO KEY UPDATE`,
        [ref.id, ref.fencing_token],
      );
      if (run === undefined) throw notCurrent();
      await recordRunUsage(manager, run, usage);
      return run;
    });
    await this.sessions.stopIfOver(run.id, run.agent_id, run.task_id);
  }

  private async stopForBudget(run_id: string): Promise<void> {
    try {
      await this.requestCancel(run_id, BUDGET_EXCEEDED);
    } catch (error) {
      // It has ended meanwhile.
      if (!(error instanceof DomainError && error.code === 'run_not_current')) throw error;
    }
  }

  /** @throws DomainError `run_not_found`, `run_not_current` */
  async finish(ref: RunRef, result: RunResult): Promise<AgentRun> {
    const run = await this.db.transaction((manager) =>
      finishRun(manager, ref, result, { transitions: this.transitions, settings: this.settings }),
    );
    this.metrics.countRun(run.status);
    if (run.finished_at !== null)
      this.metrics.observe('run', (run.finished_at.getTime() - run.started_at.getTime()) / 1000);
    return run;
  }

  /** Ends runs whose lease is over. @returns how many. */
  async expireLost(): Promise<number> {
    const lost = await this.db.query<RunRef[]>(
      `SELECT id, fencing_token FROM agent_runs
       WHERE finished_at IS NULL AND lease_expires_at <= clock_timestamp() ORDER BY lease_expires_at LIMIT 100`,
    );
    let expired = 0;
    for (const ref of lost)
      try {
        await this.finish(ref, { status: 'expired', error: EXPIRED });
        expired += 1;
      } catch (error) {
        // Another dispatcher was faster.
        if (!(error instanceof DomainError && error.code === 'run_not_current')) throw error;
      }
    return expired;
  }

  /** Asks whoever works on the run to stop. */
  async requestCancel(run_id: string, reason: string): Promise<void> {
    await this.db.transaction(async (manager) => {
      const [rows] = await manager.query<[{ id: string; team_id: string }[], number]>(
        `UPDATE agent_runs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
           cancel_reason = coalesce(cancel_reason, $2)
         WHERE id = $1 AND ${IS_ACTIVE} RETURNING id, team_id`,
        [run_id, reason],
      );
      const [run] = rows;
      if (run === undefined) throw notCurrent();
      mark(manager, run.team_id, run.id);
    });
  }
}

const KEEP_PROMPT: PreparedStatement = {
  name: 'keep-prompt',
  text: `
  WITH kept AS (
    UPDATE agent_runs SET prompt = $3, message_ids = $4::bigint[],
      lease_expires_at = clock_timestamp() + make_interval(secs => $5)
    WHERE id = $1 AND fencing_token = $2 AND ${IS_ACTIVE} AND lease_expires_at > clock_timestamp()
      AND cancel_requested_at IS NULL
    RETURNING id
  ), delivered AS (
    UPDATE messages SET delivered_at = coalesce(delivered_at, now())
    WHERE id = ANY($4::bigint[]) AND EXISTS (SELECT FROM kept)
  )
  SELECT id FROM kept`,
};

function mark(manager: EntityManager, team_id: string, run_id: string): void {
  const runner = manager.queryRunner;
  if (runner === undefined) return;
  markTeamsChanged(runner, [team_id]);
  markRunsChanged(runner, [run_id]);
}

const CANCEL_OF_TASK: PreparedStatement = {
  name: 'cancel-run-of-task',
  text: `UPDATE agent_runs SET cancel_requested_at = now(), cancel_reason = $2
     WHERE task_id = $1 AND finished_at IS NULL AND cancel_requested_at IS NULL AND agent_id::text <> $3
     RETURNING id`,
};

/**
 * A task that another's hand takes out of work takes its run with it, in the same transaction: out of `in_progress`, or
 * to an end from where its agent has already brought it.
 */
async function cancelWhenTakenAway(
  manager: EntityManager,
  { task, from, to, actor, ends_run }: TaskTransition,
): Promise<void> {
  if (ends_run) return;
  if (from !== 'in_progress' && to !== 'cancelled' && to !== 'todo') return;
  const rows = await preparedBy<{ id: string }>(manager, CANCEL_OF_TASK, [
    task.id,
    `task_${to}`,
    actor.type === 'agent' ? actor.id : '',
  ]);
  for (const { id } of rows) mark(manager, task.team_id, id);
}

async function inActiveRun(manager: EntityManager, task_id: number): Promise<boolean> {
  const rows = await manager.query<unknown[]>(
    'SELECT 1 FROM agent_runs WHERE task_id = $1 AND finished_at IS NULL',
    [task_id],
  );
  return rows.length > 0;
}
