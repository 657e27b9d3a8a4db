import { type EntityManager } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { type AgentRuntime } from '../agents/agent.entity.js';
import { MAY_START } from '../tasks/tasks.facade.js';
import { AGENT_OVER_BUDGET, taskOverBudget } from '../budgets/budgets.facade.js';

/** What a claim changed, all of it in one statement. */
export interface ClaimedRun {
  run_id: string;
  fencing_token: number;
  attempt: number;
  runtime: AgentRuntime;
  org_id: string;
  team_id: string;
  task_id: number;
  agent_id: string;
  previous_assignee_id: string | null;
  correlation_id: string;
}

export interface ClaimRequest {
  team_id: string;
  lease_seconds: number;
  /** The dispatcher that supervises the run; null leaves a `command` or `http` run to whichever adopts it first. */
  dispatcher: string | null;
  /** Only this agent; without it, any idle agent whose runtime a dispatcher starts. */
  agent_id?: string;
  /** Only this task, whoever it is assigned to and without waiting for its backoff: a person asked for it. */
  task_id?: number;
  /** What the person who asked told the agent. */
  instruction?: string;
  requested_by?: object;
}

const ANY_AGENT = `a.runtime IN ('command', 'http')`;
const ONE_AGENT = `a.id = $7`;
const ALLOWED = `(t.auto_assign OR t.assignee_id IN (SELECT i.id FROM agents i WHERE i.team_id = $1 AND i.status = 'idle'))
      AND (
        t.assignee_id = a.id
        OR t.auto_assign
          AND (t.auto_assign_role IS NULL OR t.auto_assign_role = a.role)
          AND (t.assignee_id IS NULL
            OR NOT EXISTS (SELECT FROM agents a WHERE a.id = t.assignee_id AND a.status = 'idle' AND NOT ${AGENT_OVER_BUDGET})))
      AND (t.dispatch_after IS NULL OR t.dispatch_after <= now())`;
const ONE_TASK = `t.id = $8`;

/** A task that nothing but the lack of an agent, or its backoff, keeps from being worked on. */
export const READY = `${MAY_START}
      AND NOT EXISTS (SELECT FROM agent_runs r WHERE r.task_id = t.id AND r.finished_at IS NULL)`;

/**
 * Takes the most urgent task that may be worked on for an idle agent that may work on it: task, agent and run change
 * together or not at all.
 *
 * NO KEY UPDATE is the lock that two claimers cannot both have, yet a foreign key's check can: a message written about
 * a task does not hide it. The waiting tasks come in the order of their index, so that LIMIT 1 reads a few; the
 * EXISTS on its own is checked first, so that without an idle agent that may spend something no task is read. A task
 * that changed between the statement's snapshot and its lock is left to the next look, which that change asked for:
 * PostgreSQL would judge the new row by the old dependencies and sub-tasks.
 */
const claim = (agent: string, rule: string): string => `
WITH pick AS MATERIALIZED (
    SELECT t.id AS task_id, t.org_id, t.team_id, t.assignee_id, t.correlation_id, a.id AS agent_id, a.runtime
    FROM tasks t JOIN agents a ON a.team_id = t.team_id
    WHERE t.team_id = $1 AND a.team_id = $1 AND a.status = 'idle' AND ${agent}
      AND EXISTS (SELECT FROM agents a WHERE a.team_id = $1 AND a.status = 'idle' AND ${agent} AND NOT ${AGENT_OVER_BUDGET})
      AND NOT ${AGENT_OVER_BUDGET}
      AND ${rule}
      AND ${READY}
      AND NOT ${taskOverBudget('t.id')}
      AND t.version = (SELECT seen.version FROM tasks seen WHERE seen.id = t.id)
    ORDER BY t.priority, t.id, (a.id = t.assignee_id) DESC NULLS LAST, a.created_at, a.id
    LIMIT 1
    FOR NO KEY UPDATE OF t, a SKIP LOCKED
), task AS (
    UPDATE tasks t
    SET status = 'in_progress', assignee_id = p.agent_id, version = t.version + 1, updated_at = now(),
      dispatch_after = NULL
    FROM pick p WHERE t.id = p.task_id
), agent AS (
    UPDATE agents a SET status = 'working' FROM pick p WHERE a.id = p.agent_id
), run AS (
    INSERT INTO agent_runs (id, org_id, team_id, task_id, agent_id, attempt, status, runtime, fencing_token,
      lease_expires_at, heartbeat_at, dispatcher, prompt, correlation_id, started_at)
    SELECT $2, p.org_id, p.team_id, p.task_id, p.agent_id,
      1 + coalesce((SELECT max(r.attempt) FROM agent_runs r WHERE r.task_id = p.task_id), 0), 'starting',
      p.runtime, nextval('run_fencing_token_seq'), clock_timestamp() + make_interval(secs => $3),
      clock_timestamp(), $4, $5, p.correlation_id, clock_timestamp()
    FROM pick p
    RETURNING id AS run_id, fencing_token, attempt, runtime, org_id, team_id, task_id, agent_id, correlation_id
), event AS (
    INSERT INTO task_events (org_id, task_id, type, data, metadata)
    SELECT run.org_id, run.task_id, e.type, e.data, jsonb_build_object('actor', $6::jsonb,
      'correlation_id', run.correlation_id, 'run_id', run.run_id)
    FROM run JOIN pick p USING (task_id) CROSS JOIN LATERAL (VALUES
      (1, 'task.assigned', jsonb_build_object('from', p.assignee_id, 'assignee_id', run.agent_id)),
      (2, 'task.status_changed', jsonb_build_object('from', 'todo', 'to', 'in_progress')),
      (3, 'run.started', jsonb_build_object('run_id', run.run_id, 'agent_id', run.agent_id,
        'attempt', run.attempt, 'runtime', run.runtime))
    ) AS e (n, type, data)
    WHERE e.n <> 1 OR p.assignee_id IS DISTINCT FROM run.agent_id
    ORDER BY e.n
)
SELECT run.*, p.assignee_id AS previous_assignee_id FROM run JOIN pick p USING (task_id)`;

const CLAIM_FOR_ANY_AGENT = claim(ANY_AGENT, ALLOWED);
const CLAIM_FOR_AGENT = claim(ONE_AGENT, ALLOWED);
const CLAIM_TASK_FOR_AGENT = claim(ONE_AGENT, ONE_TASK);

/**
 * Claims of one team queue up behind each other, for about a millisecond each. They would be correct side by side too;
 * but a claimer that tries a task and finds its agents just taken would hide that task from the others, and they
 * would take less urgent ones.
 */
const ONE_AT_A_TIME = `SELECT pg_advisory_xact_lock(hashtext('claim'), hashtext($1))`;

/**
 * In the manager's transaction.
 * @returns null when there is no such task or no such agent, or others are just taking them.
 */
export async function claimRun(manager: EntityManager, request: ClaimRequest): Promise<ClaimedRun | null> {
  const { agent_id, task_id } = request;
  const values: unknown[] = [
    request.team_id,
    newId(),
    request.lease_seconds,
    request.dispatcher,
    request.instruction ?? null,
    JSON.stringify(request.requested_by ?? { type: 'system', id: 'dispatch' }),
  ];
  const [sql, extra] =
    agent_id === undefined
      ? [CLAIM_FOR_ANY_AGENT, []]
      : task_id === undefined
        ? [CLAIM_FOR_AGENT, [agent_id]]
        : [CLAIM_TASK_FOR_AGENT, [agent_id, task_id]];
  await manager.query(ONE_AT_A_TIME, [request.team_id]);
  const rows = await manager.query<ClaimedRun[]>(sql, [...values, ...extra]);
  return rows[0] ?? null;
}
