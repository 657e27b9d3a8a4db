import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { type Pool } from 'pg';
import { DataSource } from 'typeorm';
import { type PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ResolvedSettings } from '../../config/settings.js';
import { VERSION } from '../../config/version.js';
import { DiskSpace } from '../../database/disk-space.js';
import { NotificationListener } from '../../database/notification-listener.js';
import { DomainError } from '../../errors/domain-error.js';
import { Backlog, type BacklogFacts } from './backlog.js';
import { type DetailedHealth, type Health, type PoolFacts } from './health.dto.js';

const DATABASE_DEADLINE_MS = 1_800;

interface DatabaseLook {
  ok: boolean;
  latency_ms: number | null;
  backlog: BacklogFacts | null;
  /** It answers, but cannot write. */
  is_full: boolean;
}

const SILENT: DatabaseLook = { ok: false, latency_ms: null, backlog: null, is_full: false };

@Injectable()
export class HealthService {
  constructor(
    private readonly db: DataSource,
    private readonly listener: NotificationListener,
    private readonly backlog: Backlog,
    private readonly disk: DiskSpace,
    private readonly settings: ResolvedSettings,
  ) {}

  async summary(): Promise<Health> {
    const database = await this.lookAtDatabase();
    return {
      status: this.faults(database).length === 0 ? 'healthy' : 'degraded',
      server: 'ok',
      version: VERSION,
      postgres: database.ok ? 'ok' : 'error',
      redis: 'not_used',
      listener: this.listener.health.connected ? 'ok' : 'error',
    };
  }

  async detailed(): Promise<DetailedHealth> {
    const database = await this.lookAtDatabase();
    const faults = this.faults(database);
    const { connected, since, reconnects } = this.listener.health;
    return {
      status: faults.length === 0 ? 'healthy' : 'degraded',
      faults,
      server: {
        status: 'ok',
        version: VERSION,
        uptime_seconds: Math.round(process.uptime()),
        roles: this.settings.ENTOURAGE_ROLES,
      },
      postgres: { status: database.ok ? 'ok' : 'error', latency_ms: database.latency_ms, pool: this.pool() },
      listener: { status: connected ? 'ok' : 'error', since: since.toISOString(), reconnects },
      queue: {
        waiting_tasks: database.backlog?.waiting_tasks ?? null,
        oldest_waiting_seconds: database.backlog?.oldest_waiting_seconds ?? null,
        overdue_seconds: Math.round(this.backlog.overdueSeconds()),
        active_runs: database.backlog?.active_runs ?? null,
      },
    };
  }

  /** @throws DomainError `service_unavailable` that names what is missing. */
  async assertReady(): Promise<void> {
    const faults = this.faults(await this.lookAtDatabase());
    if (faults.length > 0) throw new DomainError('service_unavailable', `Not ready: ${faults.join('; ')}`);
  }

  /** Connections of this process's pool. */
  pool(): PoolFacts {
    const { totalCount, idleCount, waitingCount } = (this.db.driver as PostgresDriver).master as Pool;
    return { total: totalCount, idle: idleCount, waiting_requests: waitingCount };
  }

  private faults({ ok, is_full }: DatabaseLook): string[] {
    return [
      ...(ok ? [] : ['the database does not answer']),
      ...(is_full ? ['the disk of the database is full'] : []),
      ...(this.listener.health.connected ? [] : ['the listening connection is down']),
      ...(ok && this.backlog.isOverdue() ? ['tasks that could start are not started'] : []),
    ];
  }

  private async lookAtDatabase(): Promise<DatabaseLook> {
    const began = performance.now();
    const late = new AbortController();
    try {
      const found = await Promise.race([
        Promise.all([this.backlog.facts(), this.disk.isFull()]),
        delay(DATABASE_DEADLINE_MS, null, { signal: late.signal }),
      ]);
      if (found === null) return SILENT;
      const [backlog, is_full] = found;
      return { ok: true, latency_ms: Math.round((performance.now() - began) * 10) / 10, backlog, is_full };
    } catch {
      return SILENT;
    } finally {
      late.abort();
    }
  }
}
