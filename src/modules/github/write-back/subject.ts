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
      task_ids: taskIdsOf(task_id),
      status: row.status,
      hold_reason: row.hold_reason,
      is_completed: row.status === 'done' || row.completed_at !== null,
      completed_at: row.completed_at,
      agent_name: row.agent_name,
      host: row.key.split('/', 1)[0] ?? '',
      place: placeOf(row),
      write_back,
    };
  }
}

/** The tasks that resolve a source. Sub-tasks will join their parent here. */
const taskIdsOf = (task_id: number): number[] => [task_id];

function placeOf({ repository, number, kind, state }: Row): Subject['place'] {
  const [, owner, repo] = /^([\w.-]+)\/([\w.-]+)$/.exec(repository ?? '') ?? [];
  if (owner === undefined || repo === undefined || number === null) return null;
  if (state === 'deleted' || state === 'transferred') return null;
  return { owner, repo, number, kind, is_closed: state === 'closed' };
}
