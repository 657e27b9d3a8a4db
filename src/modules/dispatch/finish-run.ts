import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { markTeamsChanged } from '../../database/notify-on-commit.js';
import { DomainError } from '../../errors/domain-error.js';
import { endRunKeys } from '../auth/api-keys/run-keys.facade.js';
import { type Actor, systemActor } from '../auth/identity.js';
import { endSessionsOfRun, recordRunUsage, type RunUsage } from '../budgets/budgets.facade.js';
import { Message } from '../tasks/message.entity.js';
import { type Task } from '../tasks/task.entity.js';
import {
  IS_DELETED_AT_SOURCE,
  lockTaskToMove,
  recordEvent,
  shareLinks,
  type TaskTransitions,
} from '../tasks/tasks.facade.js';
import { IS_ACTIVE } from './active-run.js';
import { type AgentRun } from './agent-run.entity.js';
import { redactRuns } from './redact-runs.js';
import { retryDelay, type RetrySettings } from './retry-policy.js';

/** A run and the proof that whoever writes is still the one that holds it. */
export interface RunRef {
  id: string;
  fencing_token: number;
}

export interface RunResult {
  status: 'succeeded' | 'failed' | 'cancelled' | 'expired';
  /** With `cancelled`, when nobody asked for it: the task goes back at once, and nothing counts as a failure. */
  given_back?: 'shutdown' | 'client_gone';
  exit_code?: number | null;
  error?: string | null;
  summary?: string | null;
  output?: string | null;
  /** What the run has used in all, if it says so. */
  usage?: RunUsage | null;
  /** Who says so, where that is not the agent or the dispatcher. */
  actor?: Actor;
}

const MAX_TEXT = 64 * 1024;

/** Why a run was asked to stop, and its task is held. */
export const BUDGET_EXCEEDED = 'budget_exceeded';

/**
 * Ends a run, in the manager's transaction: the run, its agent, its task and their events change together. Locks in
 * the order task, run, agent. A task that someone has moved meanwhile stays where it is.
 * @throws DomainError `run_not_found`, or `run_not_current` when the run has ended, its lease is over or the token is
 * another's.
 */
export async function finishRun(
  manager: EntityManager,
  ref: RunRef,
  result: RunResult,
  { transitions, settings }: { transitions: TaskTransitions; settings: RetrySettings },
): Promise<AgentRun> {
  const [found] = await preparedBy<{ task_id: number }>(manager, TASK_OF_RUN, [ref.id]);
  if (found === undefined) throw new DomainError('run_not_found', 'Run not found');
  const task = await lockTaskToMove(manager, found.task_id);
  if (task === null) throw new DomainError('run_not_found', 'Run not found');
  const run = await close(manager, ref, result);
  if (result.usage) await recordRunUsage(manager, run, result.usage);
  const [freed] = await preparedBy<Freed>(manager, FREE_AGENT, [run.agent_id, run.id, task.id, run.error]);
  const actor = result.actor ?? actorOf(run, result, freed?.name);
  await recordEvent(manager, {
    org_id: run.org_id,
    task_id: run.task_id,
    type: `run.${result.status}`,
    data: {
      run_id: run.id,
      agent_id: run.agent_id,
      attempt: run.attempt,
      ...(run.exit_code === null ? {} : { exit_code: run.exit_code }),
      ...(result.given_back === undefined ? {} : { reason: result.given_back }),
    },
    actor,
    correlation_id: run.correlation_id,
    run_id: run.id,
  });
  if (result.status === 'succeeded' && run.message_ids.length > 0)
    await manager
      .createQueryBuilder()
      .update(Message)
      .set({ processed_at: () => 'now()' })
      .where('id = ANY(:ids) AND processed_at IS NULL', { ids: run.message_ids })
      .execute();
  const work = { began: run.started_at, run_id: run.id };
  const after = await transitions.closeAfterWork(manager, task, work);
  if (after !== 'closed' && task.status === 'in_progress')
    await moveTask(manager, task, run, result, actor, transitions, settings, after === 'divided');
  // The program was still at work when its issue was deleted.
  if (freed?.is_deleted) {
    await redactRuns(manager, [task.id]);
    Object.assign(run, (await preparedBy<RunTexts>(manager, TEXTS_OF_RUN, [run.id]))[0]);
  }
  if (manager.queryRunner !== undefined) markTeamsChanged(manager.queryRunner, [run.team_id]);
  return run;
}

const TASK_OF_RUN: PreparedStatement = {
  name: 'task-of-run',
  text: `SELECT r.task_id, ${shareLinks('t.team_id')} FROM agent_runs r JOIN tasks t ON t.id = r.task_id WHERE r.id = $1`,
};

interface Freed {
  name: string;
  is_deleted: boolean;
}

/**
 * After the rows of the run and the agent were locked, so that no key and no session is made in between and no deletion
 * overlooked. An agent that was paused meanwhile stays so.
 */
const FREE_AGENT: PreparedStatement = {
  name: 'free-agent-of-run',
  text: `WITH keys AS (${endRunKeys('$2')}), sessions AS (${endSessionsOfRun('$2', '$4')})
    UPDATE agents SET status = CASE status WHEN 'working' THEN 'idle' ELSE status END WHERE id = $1
    RETURNING name, ${IS_DELETED_AT_SOURCE('$3')} AS is_deleted`,
};

type RunTexts = Pick<AgentRun, 'prompt' | 'output' | 'summary' | 'error'>;

const TEXTS_OF_RUN: PreparedStatement = {
  name: 'texts-of-run',
  text: 'SELECT prompt, output, summary, error FROM agent_runs WHERE id = $1',
};

/** Locks the agent too. Columns by name: what `*` stands for changes with a migration, which a prepared statement does not survive. */
const closeRun = (name: string, lease: string): PreparedStatement => ({
  name,
  text: `WITH run AS (
     UPDATE agent_runs SET status = $3, finished_at = clock_timestamp(), exit_code = $4, error = $5,
       summary = coalesce($6, summary), output = $7, cancel_reason = coalesce(cancel_reason, $8)
     WHERE id = $1 AND fencing_token = $2 AND ${IS_ACTIVE} AND lease_expires_at ${lease} clock_timestamp()
     RETURNING id, org_id, team_id, task_id, agent_id, attempt, status, runtime, fencing_token, lease_expires_at,
       heartbeat_at, cancel_requested_at, cancel_reason, dispatcher, prompt, message_ids, exit_code, error, summary,
       output, correlation_id, started_at, work_started_at, finished_at
     ), agent AS MATERIALIZED (
       SELECT a.id FROM agents a JOIN run ON a.id = run.agent_id FOR NO KEY UPDATE OF a
     )
     SELECT run.* FROM run JOIN agent ON agent.id = run.agent_id`,
});

const CLOSE = closeRun('close-run', '>');
const CLOSE_EXPIRED = closeRun('close-expired-run', '<=');

/** The end of a lease found by the sweeper needs a lease that is over; every other end one that is not. */
async function close(manager: EntityManager, ref: RunRef, result: RunResult): Promise<AgentRun> {
  const [run] = await preparedBy<AgentRun>(manager, result.status === 'expired' ? CLOSE_EXPIRED : CLOSE, [
    ref.id,
    ref.fencing_token,
    result.status,
    result.exit_code ?? null,
    storable(result.error),
    storable(result.summary),
    storable(result.output),
    result.given_back ?? null,
  ]);
  if (run === undefined) throw notCurrent();
  return run;
}

export const notCurrent = (): DomainError =>
  new DomainError('run_not_current', 'The run has ended, its lease is over, or another run has replaced it');

/** Success is the agent's word; every other end is what the dispatcher found. */
function actorOf(run: AgentRun, result: RunResult, name: string | undefined): Actor {
  if (result.status !== 'succeeded') return systemActor('dispatch');
  return { type: 'agent', id: run.agent_id, ...(name === undefined ? {} : { name }) };
}

async function moveTask(
  manager: EntityManager,
  task: Task,
  run: AgentRun,
  result: RunResult,
  actor: Actor,
  transitions: TaskTransitions,
  settings: RetrySettings,
  is_divided: boolean,
): Promise<void> {
  const move = { run_id: run.id, ends_run: true, actor } as const;
  if (result.status === 'succeeded') {
    const patch = { failed_runs: 0, last_error: null, dispatch_after: null };
    // Divided, it is not done yet: it waits for its sub-tasks, and its agent is free meanwhile.
    if (is_divided) {
      await manager.save(Object.assign(task, patch));
      return;
    }
    const request = { ...move, to: 'in_review', reason: 'run_succeeded', patch } as const;
    await transitions.transitionLocked(manager, task, request, true);
    return;
  }
  if (run.cancel_reason === BUDGET_EXCEEDED) {
    // Trying again would only cost more: a person raises the limit, or lets it be.
    const patch = {
      hold_reason: BUDGET_EXCEEDED,
      last_error: 'The run was stopped: it had reached a cost limit',
    };
    await transitions.transitionLocked(manager, task, {
      ...move,
      to: 'todo',
      reason: BUDGET_EXCEEDED,
      patch,
    });
    return;
  }
  if (result.status === 'cancelled') {
    const patch = result.given_back
      ? { dispatch_after: null }
      : { hold_reason: 'run_cancelled', last_error: 'The run was cancelled by a person' };
    const reason = result.given_back ?? 'run_cancelled';
    await transitions.transitionLocked(manager, task, { ...move, to: 'todo', reason, patch });
    return;
  }
  const failed_runs = task.failed_runs + 1;
  const last_error = run.error ?? 'The run failed';
  const delay = retryDelay(failed_runs, settings, Math.random());
  const patch =
    delay === null
      ? { failed_runs, last_error, dispatch_after: null, hold_reason: 'attempts_exhausted' }
      : { failed_runs, last_error, dispatch_after: await inSeconds(manager, delay) };
  const reason = delay === null ? 'attempts_exhausted' : `run_${result.status}`;
  await transitions.transitionLocked(manager, task, { ...move, to: 'todo', reason, patch });
}

/** By the database's clock, which decides when it has come. */
async function inSeconds(manager: EntityManager, seconds: number): Promise<Date> {
  const [row] = await manager.query<{ at: Date }[]>(
    'SELECT clock_timestamp() + make_interval(secs => $1) AS at',
    [seconds],
  );
  if (row === undefined) throw new Error('the query for a moment answers one row');
  return row.at;
}

const storable = (text: string | null | undefined): string | null =>
  text === undefined || text === null
    ? null
    : text
        .slice(-MAX_TEXT)
        .replaceAll('\0', '')
        .replaceAll(/[\uD800-\uDFFF]/gu, '\uFFFD');
