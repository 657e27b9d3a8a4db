import { Injectable, type OnModuleInit } from '@nestjs/common';
import { NotificationListener } from '../../database/notification-listener.js';
import { Metrics } from '../../metrics/metrics.js';
import { Backlog, type BacklogFacts } from './backlog.js';
import { HealthService } from './health.service.js';

/** What Prometheus reads of the service as a whole. The queue's numbers are the same in every process: take their max. */
@Injectable()
export class ServiceGauges implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    private readonly backlog: Backlog,
    private readonly health: HealthService,
    private readonly listener: NotificationListener,
  ) {}

  onModuleInit(): void {
    const { metrics } = this;
    metrics.gauge('entourage_tasks_waiting', 'Tasks that wait for an agent', () =>
      this.read('waiting_tasks'),
    );
    metrics.gauge(
      'entourage_oldest_waiting_task_seconds',
      'Age of the task that has waited longest; 0 when none waits',
      () => this.read('oldest_waiting_seconds'),
    );
    metrics.gauge('entourage_runs_active', 'Agent runs under way', () => this.read('active_runs'));
    metrics.gauge(
      'entourage_dispatch_overdue_seconds',
      'How long a task that could start at once has been seen not to',
      () => this.backlog.overdueSeconds(),
    );
    metrics.gauges(
      'entourage_db_pool',
      'Connections of the pool: total, idle; queries waiting for one',
      'state',
      () => {
        const { total, idle, waiting_requests } = this.health.pool();
        return { total, idle, waiting: waiting_requests };
      },
    );
    metrics.gauge('entourage_listener_connected', '1 while the connection that LISTENs is up', () =>
      this.listener.health.connected ? 1 : 0,
    );
    metrics.gauge(
      'entourage_listener_reconnects',
      'Connections of the listener after its first',
      () => this.listener.health.reconnects,
    );
  }

  /** Left out of the answer while the database does not answer. */
  private read(fact: keyof BacklogFacts): Promise<number | null> {
    return this.backlog.facts().then(
      (facts) => facts[fact] ?? 0,
      () => null,
    );
  }
}
