import { type Agent } from '../../agents/agent.entity.js';
import { type AgentRun } from '../agent-run.entity.js';

/** What a runtime is given to start work with. */
export interface Assignment {
  run: Pick<
    AgentRun,
    'id' | 'org_id' | 'team_id' | 'task_id' | 'agent_id' | 'attempt' | 'fencing_token' | 'correlation_id'
  >;
  agent: Pick<Agent, 'id' | 'name' | 'role' | 'model' | 'runtime_config' | 'runtime_secret'>;
  task: { id: number; title: string; branch: string };
  prompt: string;
  /** Earlier runs of the task. */
  earlier_run_ids: string[];
  /** The work must not go on for longer without a sign that the lease was extended. */
  lease_ms: number;
  lease_seconds: number;
}

/** How a run ended, as far as its runtime can tell. */
export interface RunEnd {
  status: 'succeeded' | 'failed';
  exit_code?: number | null;
  error?: string;
  output?: string;
}

/** A run that this process watches over. */
export interface SupervisedRun {
  /** Never rejects: whatever goes wrong is a run that failed. */
  readonly ended: Promise<RunEnd>;
  /** Asks the run to end, and ends it when it does not. */
  stop(): void;
  /** Ends it at once: its lease is lost, someone else may be working already. */
  kill(): void;
  /** The lease was extended and now lasts this long from now. */
  renewed(lease_ms: number): void;
  readonly timeout_ms: number;
}

/** One way of getting an agent to work; docs/runtimes.md tells how to add another. */
export interface Runtime {
  /**
   * Starts the work. @returns the run to supervise, or null when the agent took it over and reports by REST.
   * @throws RunNotStarted when the agent cannot start.
   */
  start(assignment: Assignment): Promise<SupervisedRun | null>;
}

/** A failure with a reason for a person. */
export class RunNotStarted extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'RunNotStarted';
  }
}
