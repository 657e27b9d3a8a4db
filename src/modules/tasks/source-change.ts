import { type TaskPriority } from './task.entity.js';
import { type TaskSource } from './task-source.entity.js';

/** An issue or pull request as one event shows it. */
export interface SourceItem {
  /** See `TaskSource.key`. */
  key: string;
  kind: TaskSource['kind'];
  repository_id: number | null;
  repository: string | null;
  number: number | null;
  url: string | null;
  title: string;
  body: string;
  labels: string[];
  author: string | null;
  author_association: string | null;
  state: 'open' | 'closed';
  state_reason: string | null;
  draft: boolean;
  updated_at: Date | null;
}

export type SourceAction =
  | 'opened'
  | 'labeled'
  | 'unlabeled'
  | 'edited'
  | 'closed'
  | 'reopened'
  | 'deleted'
  | 'transferred'
  | 'ready_for_review'
  | 'converted_to_draft';

/** What one delivery says about its issue or pull request: the mapped event, with the webhook's rules for it. */
export interface SourceChange {
  action: SourceAction;
  org_id: string;
  team_id: string;
  webhook_id: string;
  delivery_id: string;
  /** Carried by the task from here on. */
  correlation_id: string;
  /** GitHub login that caused the event. */
  sender: string | null;
  item: SourceItem;
  /** `labeled`, `unlabeled`: the label in question. */
  label?: string;
  /** `closed`: the pull request was merged. */
  merged?: boolean;
  /** `opened` after a transfer, `transferred`: the key the item had, or has now, elsewhere. */
  other_key?: string;
  policy: {
    auto_assign: boolean;
    auto_assign_role: string | null;
    label_priorities: Record<string, TaskPriority> | null;
    /** A new task is held for this reason instead of being dispatched. */
    hold_reason: 'awaiting_release' | 'draft' | null;
    /** Whether later events change the task (`config.lifecycle: "sync"`). */
    sync: boolean;
  };
}

/** What a change did. */
export interface SourceOutcome {
  task_id: number | null;
  /** In the words of the contract: `created task #601 from issue #42`, `auto-assigned to Ada`. */
  actions: string[];
  /** Stable code of why there was no effect. */
  reason?: 'already_exists' | 'stale' | 'lifecycle_create_only' | 'no_task' | 'no_change';
  assignment?: { agent_id: string | null; agent_name: string | null; reason: string };
}
