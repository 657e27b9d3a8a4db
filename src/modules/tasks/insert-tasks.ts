import { type QueryRunner } from 'typeorm';
import { markTeamsChanged } from '../../database/notify-on-commit.js';
import { prepared, type PreparedStatement } from '../../database/prepared.js';
import { type TaskEventMetadata } from './task-event.entity.js';
import { type TaskSource } from './task-source.entity.js';
import { type Task } from './task.entity.js';
import { branchSlug } from './text.js';
import { toJson } from './record-event.js';

export type NewTask = Pick<
  Task,
  | 'org_id'
  | 'team_id'
  | 'title'
  | 'description'
  | 'status'
  | 'priority'
  | 'dri_id'
  | 'assignee_id'
  | 'auto_assign'
  | 'auto_assign_role'
  | 'hold_reason'
  | 'repo_ids'
  | 'tags'
  | 'correlation_id'
> & {
  parent_id?: number | null;
  on_cancel?: Task['on_cancel'];
  /** The source that becomes this task's; its row is there. */
  source?: Pick<TaskSource, 'key' | 'webhook_id' | 'kind'>;
  /** Its first events, in order. */
  events: { type: string; data: Record<string, unknown>; metadata: TaskEventMetadata }[];
};

/**
 * Tasks, their sources' link and their events in one statement, however many there are. The link is an upsert that always
 * meets its row: an UPDATE joins, and a plan made while there were few sources reads all of them each time.
 */
const INSERT: PreparedStatement = {
  name: 'insert-tasks',
  text: `
  WITH new AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('tasks', 'id')) AS id, t.*
    FROM ROWS FROM (json_to_recordset($1) AS (org_id uuid, team_id uuid, title text, description text,
      status text, priority task_priority, dri_id uuid, assignee_id uuid, auto_assign boolean,
      auto_assign_role text, hold_reason text, repo_ids uuid[], tags text[], slug text, correlation_id uuid,
      source json, parent_id bigint, on_cancel text, events jsonb)) WITH ORDINALITY t
  ), task AS (
    INSERT INTO tasks (id, org_id, team_id, title, description, status, priority, dri_id, assignee_id,
      auto_assign, auto_assign_role, hold_reason, repo_ids, tags, branch, correlation_id, parent_id, on_cancel)
    SELECT id, org_id, team_id, title, description, status, priority, dri_id, assignee_id, auto_assign,
      auto_assign_role, hold_reason, repo_ids, tags,
      concat((SELECT "values"->>'branch_prefix' FROM team_settings s WHERE s.team_id = new.team_id),
        'task-', id, '-', slug),
      correlation_id, parent_id, coalesce(on_cancel, 'block')
    FROM new
  ), source AS (
    INSERT INTO task_sources (org_id, key, webhook_id, kind, task_id)
    SELECT org_id, source->>'key', (source->>'webhook_id')::uuid, source->>'kind', id
    FROM new WHERE source IS NOT NULL ORDER BY org_id, source->>'key'
    ON CONFLICT (org_id, key) DO UPDATE SET task_id = EXCLUDED.task_id
  ), event AS (
    INSERT INTO task_events (org_id, task_id, type, data, metadata)
    SELECT new.org_id, new.id, e.type, e.data, e.metadata
    FROM new, ROWS FROM (jsonb_to_recordset(new.events) AS (type text, data jsonb, metadata jsonb))
      WITH ORDINALITY e
    ORDER BY new.ordinality, e.ordinality
  )
  SELECT id FROM new ORDER BY ordinality`,
};

/** @returns the new tasks' ids, in the order given. */
export async function insertTasks(runner: QueryRunner, tasks: NewTask[]): Promise<number[]> {
  if (tasks.length === 0) return [];
  const rows = await prepared<{ id: number }>(runner, INSERT, [
    toJson(tasks.map((task) => Object.assign({ slug: branchSlug(task.title) }, task))),
  ]);
  markTeamsChanged(
    runner,
    tasks.map((task) => task.team_id),
  );
  return rows.map((row) => row.id);
}
