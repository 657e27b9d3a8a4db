export class FilterVerdictDto {
  /** `active`, `events`, `repository`, `team`, `lifecycle`, `trust`. */
  filter: string;
  passed: boolean;
  detail: string;
}

export class ExplainedTaskDto {
  id: number;
  title: string;
  status: string;
  priority: string;
  assignee_id: string | null;
  /** Why the task is not dispatched, if it is held. */
  hold_reason: string | null;
}

export class ExplainedAgentDto {
  id: string | null;
  name: string | null;
}

export class ExplainedAssignmentDto {
  agent: ExplainedAgentDto | null;
  why: string;
}

export class ExplainedRunDto {
  id: string;
  status: string;
  attempt: number;
  /** Who did it: another than the one chosen at first, where that one was not idle. */
  agent_id: string;
  agent_name: string | null;
  started_at: Date;
  finished_at: Date | null;
  error: string | null;
}

export class OutcomeDto {
  status: 'received' | 'processed' | 'failed';
  reason: string | null;
  error: string | null;
  actions: string[];
}

export class ExplanationDto {
  delivery_id: string;
  event_type: string;
  /** `valid`, `valid_previous`, or what was wrong with it. */
  signature: string;
  filters: FilterVerdictDto[];
  warnings: string[];
  outcome: OutcomeDto;
  task: ExplainedTaskDto | null;
  /** The agent chosen when the delivery came in. */
  assignment: ExplainedAssignmentDto | null;
  /** The task's latest run. */
  run: ExplainedRunDto | null;
}
