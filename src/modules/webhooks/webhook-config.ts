import { type TaskPriority } from '../tasks/task.entity.js';

export const TRUST_LEVELS = ['anyone', 'contributors', 'members'] as const;
export type TrustLevel = (typeof TRUST_LEVELS)[number];

/** How GitHub is told what becomes of its issues. */
export interface WriteBack {
  /** Close the issue when its task is done. */
  close: boolean;
  /** Set on the issue or pull request when its task is done. */
  label: string | null;
}

/** What `config` of a webhook may hold; every key is optional, any other key is refused with 422. */
export interface WebhookConfig {
  /** Give each new task to the first idle agent of the team, oldest agent first. */
  auto_assign?: boolean;
  /** Only agents of this role are assigned. */
  auto_assign_role?: 'manager' | 'engineer' | 'reviewer';
  /** The one repository (`owner/name`, or its numeric id on GitHub) whose events are accepted. */
  repository?: string | number;
  /** Label (any case) → priority; replaces the built-in map. */
  label_priorities?: Record<string, TaskPriority>;
  /** Whose issues start work at once. Default `anyone`. */
  trust?: TrustLevel;
  /** `sync`: later events (labels, edits, closing, …) change the task too. Default `create`. */
  lifecycle?: 'create' | 'sync';
  /** Keep one comment on the issue or pull request that says how its task stands. Default `false`. */
  write_back?: boolean | { close?: boolean; label?: string };
}

/** `config.write_back` spelled out; null when it is off. */
export function writeBackOf({ write_back }: WebhookConfig): WriteBack | null {
  if (write_back === undefined || write_back === false) return null;
  return write_back === true
    ? { close: false, label: null }
    : { close: write_back.close ?? false, label: write_back.label?.trim() ?? null };
}
