import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BLOCKED_BY, HAS_OPEN_SUBTASKS, IS_BLOCKED } from '../tasks/tasks.facade.js';
import { AGENT_OVER_BUDGET, taskOverBudget } from '../budgets/budgets.facade.js';
import {
  type DispatchStatusDto,
  type IdleAgentDto,
  type PendingHumanRequestDto,
  type PendingMessagesDto,
  type RunningTaskDto,
  type WaitingTaskDto,
} from './run.dto.js';

const SHOWN = 100;

const PENDING = `
  SELECT a.id AS agent_id, a.name AS agent_name, a.status AS agent_status, m.pending_messages
  FROM agents a CROSS JOIN LATERAL (
    SELECT count(*)::int AS pending_messages FROM messages m
    WHERE m.recipient_id = a.id AND m.recipient_type = 'agent' AND m.processed_at IS NULL) m
  WHERE a.team_id = $1 AND m.pending_messages > 0 ORDER BY a.name, a.id`;

const IDLE = `SELECT id, name, role, model FROM agents WHERE team_id = $1 AND status = 'idle' ORDER BY name, id`;

/** The same conditions as the claim's, told apart. */
export const WAITING_REASON = `
  CASE
    WHEN t.hold_reason IS NOT NULL THEN 'held'
    WHEN ${IS_BLOCKED} THEN 'blocked'
    WHEN ${HAS_OPEN_SUBTASKS} THEN 'subtasks'
    WHEN EXISTS (SELECT FROM agent_runs r WHERE r.task_id = t.id AND r.finished_at IS NULL) THEN 'stopping'
    WHEN t.dispatch_after > now() THEN 'backoff'
    WHEN t.assignee_id IS NULL AND NOT t.auto_assign THEN 'not_assigned'
    WHEN able.brought THEN 'starting'
    WHEN able.brought IS NOT NULL THEN 'agent_must_claim'
    WHEN able.over_budget THEN 'over_budget'
    ELSE 'no_idle_agent'
  END`;

const ABLE = `
  LEFT JOIN LATERAL (
    SELECT bool_or(a.runtime <> 'pull') FILTER (WHERE NOT b.is_over) AS brought, bool_or(b.is_over) AS over_budget
    FROM agents a CROSS JOIN LATERAL (SELECT ${AGENT_OVER_BUDGET} OR ${taskOverBudget('t.id')} AS is_over) b
    WHERE a.team_id = t.team_id AND a.status = 'idle'
      AND (a.id = t.assignee_id OR t.auto_assign AND (t.auto_assign_role IS NULL OR a.role = t.auto_assign_role)
        AND (t.assignee_id IS NULL
          OR NOT EXISTS (SELECT FROM agents a WHERE a.id = t.assignee_id AND a.status = 'idle' AND NOT ${AGENT_OVER_BUDGET})))
  ) able ON true`;

const waiting = (where: string, position: string): string => `
  SELECT t.id AS task_id, t.title, t.priority, ${position} AS position, ${WAITING_REASON} AS reason,
    CASE WHEN t.dispatch_after > now() THEN t.dispatch_after END AS until, t.hold_reason, t.last_error,
    ${BLOCKED_BY} AS blocked_by
  FROM (SELECT * FROM tasks WHERE team_id = $1 AND status = 'todo' AND ${where} ORDER BY priority, id LIMIT ${SHOWN}) t
  ${ABLE}
  ORDER BY t.priority, t.id`;

const RUNNING = `
  SELECT r.id AS run_id, r.task_id, t.title, t.status AS task_status, r.agent_id, a.name AS agent_name, r.status,
    r.attempt, r.started_at
  FROM agents a JOIN agent_runs r ON r.agent_id = a.id AND r.finished_at IS NULL JOIN tasks t ON t.id = r.task_id
  WHERE a.team_id = $1 ORDER BY r.started_at, r.id`;

const ASKED = `
  SELECT h.id, h.agent_id, a.name AS agent_name, h.task_id, h.kind, h.question, h.timeout_at, h.created_at
  FROM human_requests h JOIN agents a ON a.id = h.agent_id
  WHERE h.team_id = $1 AND h.status = 'pending' ORDER BY h.id LIMIT ${SHOWN}`;

/** What waits in a team, and why; what runs. */
@Injectable()
export class DispatchStatus {
  constructor(private readonly db: DataSource) {}

  async of(team_id: string): Promise<DispatchStatusDto> {
    const [pending, idle, ready, held, running, human_requests] = await Promise.all([
      this.db.query<PendingMessagesDto[]>(PENDING, [team_id]),
      this.db.query<IdleAgentDto[]>(IDLE, [team_id]),
      this.db.query<WaitingTaskDto[]>(
        waiting('hold_reason IS NULL', '(row_number() OVER (ORDER BY t.priority, t.id))::int'),
        [team_id],
      ),
      this.db.query<WaitingTaskDto[]>(waiting('hold_reason IS NOT NULL', 'NULL::int'), [team_id]),
      this.db.query<RunningTaskDto[]>(RUNNING, [team_id]),
      this.db.query<PendingHumanRequestDto[]>(ASKED, [team_id]),
    ]);
    return {
      team_id,
      pending_messages: pending,
      idle_agents: idle,
      total_pending: pending.reduce((sum, { pending_messages }) => sum + pending_messages, 0),
      total_idle: idle.length,
      waiting: [...ready, ...held],
      running,
      human_requests,
    };
  }

  /** Why the task is not being worked on; null when it is not waiting at all. */
  async reason(task_id: number): Promise<WaitingTaskDto['reason'] | null> {
    const [row] = await this.db.query<{ reason: WaitingTaskDto['reason'] }[]>(
      `SELECT ${WAITING_REASON} AS reason FROM tasks t ${ABLE} WHERE t.id = $1 AND t.status = 'todo'`,
      [task_id],
    );
    return row?.reason ?? null;
  }
}
