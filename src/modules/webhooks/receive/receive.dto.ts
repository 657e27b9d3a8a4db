export class ReceiveAnswerDto {
  delivery_id: string;
  /** `ignored`: logged without effect, see `reason`; `duplicate`: the same delivery came before. */
  status: 'processed' | 'ignored' | 'duplicate';
  /** `issues.opened`, `push`, … */
  event_type: string;
  /** What was done: `created task #601 from issue #42`, `auto-assigned to Ada`, `push to refs/heads/main: 1 commit(s)`. */
  actions: string[];
  task_id?: number;
  /** Stable code of why there was no effect. */
  reason?: string;
}
