import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type TaskSource } from '../../tasks/task-source.entity.js';
import { type Task } from '../../tasks/task.entity.js';
import { type WebhookConfig, type WriteBack, writeBackOf } from '../../webhooks/webhooks.facade.js';
import { type CommentSubject } from './render-comment.js';

/** A task as it is now, and where it came from. */
export interface Subject extends CommentSubject {
  completed_at: Date | null;
  /** On GitHub: null when it is not there any more, or the webhook does not write back any more. */
  place: { owner: string; repo: string; number: number; kind: TaskSource['kind']; is_closed: boolean } | null;
  host: string;
  write_back: WriteBack | null;
}

type Row = Pick<Task, 'status' | 'hold_reason' | 'completed_at'> &
  Pick<TaskSource, 'key' | 'kind' | 'repository' | 'number' | 'state'> & {
    agent_name: string | null;
    config: WebhookConfig | null;
  };

const LOAD = `
  SELECT t.status, t.hold_reason, t.completed_at, s.key, s.kind, s.repository, s.number, s.state, a.name AS agent_name,
    h.config
  FROM tasks t
  JOIN task_sources s ON s.task_id = t.id
  LEFT JOIN agents a ON a.id = t.assignee_id
  LEFT JOIN webhooks h ON h.id = s.webhook_id
  WHERE t.id = $1 AND t.org_id = $2`;

const RESOLVED_IN = `
  WITH RECURSIVE below AS (
    SELECT t.id, t.completed_at FROM tasks t WHERE t.parent_id = $1
    UNION ALL
    SELECT t.id, t.completed_at FROM tasks t JOIN below b ON t.parent_id = b.id
  )
  SELECT id FROM below WHERE completed_at IS NOT NULL`;

/** Reads what GitHub is to be told. */
@Injectable()
export class Subjects {
  constructor(private readonly db: DataSource) {}

  /** @returns null when the task has no source. */
  async load(task_id: number, org_id: string): Promise<Subject | null> {
    const [row] = await this.db.query<Row[]>(LOAD, [task_id, org_id]);
    if (row === undefined) return null;
    const write_back = row.config === null ? null : writeBackOf(row.config);
    return {
      task_ids: isCompleted(row) ? await this.taskIdsOf(task_id) : [task_id],
      status: row.status,
      hold_reason: row.hold_reason,
      is_completed: isCompleted(row),
      completed_at: row.completed_at,
      agent_name: row.agent_name,
      host: row.key.split('/', 1)[0] ?? '',
      place: placeOf(row),
      write_back,
    };
  }

  /** The tasks that resolved a source: its own, and those of its sub-tasks that were done. */
  private async taskIdsOf(task_id: number): Promise<number[]> {
    const rows = await this.db.query<{ id: number }[]>(RESOLVED_IN, [task_id]);
    return [task_id, ...rows.map(({ id }) => id)];
  }
}

/** Done, or archived after it. */
const isCompleted = ({ status, completed_at }: Row): boolean => status === 'done' || completed_at !== null;

function placeOf({ repository, number, kind, state }: Row): Subject['place'] {
  const [, owner, repo] = /^([\w.-]+)\/([\w.-]+)$/.exec(repository ?? '') ?? [];
  if (owner === undefined || repo === undefined || number === null) return null;
  if (state === 'deleted' || state === 'transferred') return null;
  return { owner, repo, number, kind, is_closed: state === 'closed' };
}
