import { type EntityManager } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { type AgentRuntime } from '../agents/agent.entity.js';
import { MAY_START } from '../tasks/tasks.facade.js';
import { overBudget, TASK_LIMIT, taskSpent, WITH_BUDGET } from '../budgets/budgets.facade.js';

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
  /** From when the task was made. */
  waited_seconds: number;
}

/** What one look at a team's waiting tasks came to. */
export interface Claims {
  runs: ClaimedRun[];
  /** Agents that somebody else was just changing; the tasks that they fitted may go to others. */
  passed_over: string[];
  /** Whether there may be more to claim right away. */
  more: boolean;
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
  /** How many runs at most; 1 if left out. */
  limit?: number;
  /** Agents that an earlier look passed over. */
  passed_over?: string[];
}

const ANY_AGENT = `a.runtime IN ('command', 'http')`;
const ONE_AGENT = `a.id = $9`;
/**
 * What is the task's turn, and not kept for an idle agent that will take it by itself. All by hashed lists: with
 * thousands of tasks for agents that are busy it must not look at every agent for each.
 */
const ITS_TURN = `(t.dispatch_after IS NULL OR t.dispatch_after <= now())
      AND (t.assignee_id IN (SELECT id FROM idle WHERE free)
        OR t.auto_assign
          AND (t.auto_assign_role IS NULL OR t.auto_assign_role IN (SELECT role FROM idle WHERE free))
          AND (t.assignee_id IS NULL OR t.assignee_id NOT IN (SELECT id FROM idle)))`;
/** By a task `t` and an idle agent `i`. */
const FITTING = `(
        t.assignee_id = i.id
        OR t.auto_assign AND (t.auto_assign_role IS NULL OR t.auto_assign_role = i.role)
          AND (t.assignee_id IS NULL OR t.assignee_id NOT IN (SELECT id FROM idle)))`;
const ONE_TASK = `t.id = $10`;

/** A task that nothing but the lack of an agent, or its backoff, keeps from being worked on. */
export const READY = `${MAY_START}
      AND NOT EXISTS (SELECT FROM agent_runs r WHERE r.task_id = t.id AND r.finished_at IS NULL)`;

/**
 * Takes the most urgent tasks that may be worked on, one after the other, each for the first idle agent that may work on
 * it and that none before it was given: its assignee, else the oldest. Task, agent and run change together or not at all.
 *
 * The idle agents and what they may spend are read once. The waiting tasks come in the order of their index, so that
 * LIMIT reads a few, and none without an agent that could take it. NO KEY UPDATE is the lock that two claimers cannot
 * both have, yet a foreign key's check can: a message written about a task does not hide it. A task that changed between
 * the statement's snapshot and its lock is left to the next look, which that change asked for: PostgreSQL would judge
 * the new row by the old dependencies and sub-tasks.
 */
const claim = (name: string, agent: string, turn: string, fitting: string): PreparedStatement => ({
  name,
  text: `
WITH RECURSIVE idle AS MATERIALIZED (
    SELECT a.id, a.role, a.created_at, ${TASK_LIMIT} AS task_limit, ${agent} AND a.id <> ALL($8::uuid[]) AS free
    FROM agents a ${WITH_BUDGET}
    WHERE a.team_id = $1 AND a.status = 'idle' AND NOT ${overBudget('$1')}
), waiting AS MATERIALIZED (
    SELECT t.id, t.org_id, t.team_id, t.priority, t.assignee_id, t.auto_assign, t.auto_assign_role, t.correlation_id,
      t.created_at, ${taskSpent('t.id')} AS spent
    FROM tasks t
    WHERE EXISTS (SELECT FROM idle WHERE free)
      AND t.team_id = $1 AND ${turn}
      AND EXISTS (SELECT FROM idle i WHERE i.free AND ${fitting} AND ${taskSpent('t.id')} < i.task_limit)
      AND ${READY}
      AND t.version = (SELECT seen.version FROM tasks seen WHERE seen.id = t.id)
    ORDER BY t.priority, t.id
    LIMIT $7
    FOR NO KEY UPDATE OF t SKIP LOCKED
), due AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY priority, id) AS n, id, org_id, team_id, assignee_id, auto_assign,
      auto_assign_role, correlation_id, created_at, spent
    FROM waiting
), given (n, agent_id, taken) AS (
    SELECT 0::bigint, NULL::uuid, '{}'::uuid[]
    UNION ALL
    SELECT t.n, one.id, CASE WHEN one.id IS NULL THEN given.taken ELSE given.taken || one.id END
    FROM given JOIN due t ON t.n = given.n + 1 LEFT JOIN LATERAL (
      SELECT i.id FROM idle i
      WHERE i.free AND i.id <> ALL(given.taken) AND ${fitting} AND t.spent < i.task_limit
      ORDER BY (i.id = t.assignee_id) DESC NULLS LAST, i.created_at, i.id
      LIMIT 1
    ) one ON true
), pick AS MATERIALIZED (
    SELECT t.n, t.id AS task_id, t.org_id, t.team_id, t.assignee_id, t.correlation_id, t.created_at, a.id AS agent_id,
      a.runtime
    FROM given JOIN due t USING (n) JOIN agents a ON a.id = given.agent_id
    WHERE a.status = 'idle'
    FOR NO KEY UPDATE OF a SKIP LOCKED
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
    SELECT ($2::uuid[])[p.n], p.org_id, p.team_id, p.task_id, p.agent_id,
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
    ORDER BY p.n, e.n
)
SELECT given.agent_id AS given_to, run.run_id, run.fencing_token, run.attempt, run.runtime, run.org_id, run.team_id,
  run.task_id, run.agent_id, t.assignee_id AS previous_assignee_id, run.correlation_id,
  extract(epoch FROM clock_timestamp() - t.created_at)::float8 AS waited_seconds
FROM due t JOIN given USING (n) LEFT JOIN run ON run.task_id = t.id
ORDER BY n`,
});

const CLAIM_FOR_ANY_AGENT = claim('claim-for-any-agent', ANY_AGENT, ITS_TURN, FITTING);
const CLAIM_FOR_AGENT = claim('claim-for-agent', ONE_AGENT, ITS_TURN, FITTING);
const CLAIM_TASK_FOR_AGENT = claim('claim-task-for-agent', ONE_AGENT, ONE_TASK, 'true');

/**
 * Claims of one team queue up behind each other, for a millisecond or two each. They would be correct side by side too;
 * but of two claimers that give tasks to the same agents one would come out empty, and take less urgent tasks next.
 */
const ONE_AT_A_TIME: PreparedStatement = {
  name: 'claim-one-at-a-time',
  text: `SELECT pg_advisory_xact_lock(hashtext('claim'), hashtext($1))`,
};

type Looked = (ClaimedRun | { run_id: null }) & { given_to: string | null };

/** In the manager's transaction: claims as many runs of the team as there may be. */
export async function claimRuns(manager: EntityManager, request: ClaimRequest): Promise<Claims> {
  const { agent_id, task_id, limit = 1, passed_over = [] } = request;
  const values: unknown[] = [
    request.team_id,
    Array.from({ length: limit }, newId),
    request.lease_seconds,
    request.dispatcher,
    request.instruction ?? null,
    JSON.stringify(request.requested_by ?? { type: 'system', id: 'dispatch' }),
    limit,
    passed_over,
  ];
  const [statement, extra] =
    agent_id === undefined
      ? [CLAIM_FOR_ANY_AGENT, []]
      : task_id === undefined
        ? [CLAIM_FOR_AGENT, [agent_id]]
        : [CLAIM_TASK_FOR_AGENT, [agent_id, task_id]];
  await preparedBy(manager, ONE_AT_A_TIME, [request.team_id]);
  const looked = await preparedBy<Looked>(manager, statement, [...values, ...extra]);
  const missed = looked.flatMap(({ run_id, given_to }) => (run_id === null && given_to ? [given_to] : []));
  return {
    runs: looked.filter((row): row is ClaimedRun & Looked => row.run_id !== null),
    passed_over: [...passed_over, ...missed],
    more: looked.length === limit || missed.length > 0,
  };
}

/** One of them; null when there is no such task or no such agent, or others are just taking them. */
export const claimRun = async (manager: EntityManager, request: ClaimRequest): Promise<ClaimedRun | null> =>
  (await claimRuns(manager, { ...request, limit: 1 })).runs[0] ?? null;
