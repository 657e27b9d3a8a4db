import { type Role } from '../../config/settings.js';

export class Health {
  /** `degraded` when a part is missing; the answer is 200 all the same: see `/health/ready`. */
  status: 'healthy' | 'degraded';
  server: 'ok';
  version: string;
  postgres: 'ok' | 'error';
  /** There is none; the field is part of the contract. */
  redis: 'not_used';
  listener: 'ok' | 'error';
}

export class Alive {
  status: 'ok';
}

export class Ready {
  status: 'ready';
}

export class ServerFacts {
  status: 'ok';
  version: string;
  uptime_seconds: number;
  /** What this process does. */
  roles: Role[];
}

export class PoolFacts {
  total: number;
  idle: number;
  /** Queries that wait for a connection. */
  waiting_requests: number;
}

export class PostgresFacts {
  status: 'ok' | 'error';
  latency_ms: number | null;
  pool: PoolFacts;
}

export class ListenerFacts {
  status: 'ok' | 'error';
  /** When the connection came up, or was lost. */
  since: string;
  reconnects: number;
}

export class QueueFacts {
  /** Tasks that wait for an agent, over all organizations. */
  waiting_tasks: number | null;
  oldest_waiting_seconds: number | null;
  /** How long a task that could start at once has been seen not to. */
  overdue_seconds: number;
  active_runs: number | null;
}

export class DetailedHealth {
  status: 'healthy' | 'degraded';
  /** In words; empty when healthy. */
  faults: string[];
  server: ServerFacts;
  postgres: PostgresFacts;
  listener: ListenerFacts;
  queue: QueueFacts;
}
