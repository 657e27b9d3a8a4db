import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { DataSource, type QueryRunner } from 'typeorm';

const DAY_MS = 24 * 3600 * 1000;
const WEEK_MS = 7 * DAY_MS;
/** Any number, the same in every process. */
const LOCK = createHash('sha256').update('entourage delivery partitions').digest().readInt32BE(0);
const NAME = /^deliveries_(\d{4})(\d{2})(\d{2})$/;

/** The Monday, 00:00 UTC, of a moment's week: where its partition begins. */
export function weekStart(moment: Date): Date {
  const day = Math.floor(moment.getTime() / DAY_MS);
  const sinceMonday = (((day + 3) % 7) + 7) % 7;
  return new Date((day - sinceMonday) * DAY_MS);
}

const nameOf = (start: Date): string => `deliveries_${start.toISOString().slice(0, 10).replaceAll('-', '')}`;

function startOf(name: string): Date | null {
  const [, year, month, day] = NAME.exec(name) ?? [];
  return year === undefined ? null : new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
}

/** The weekly partitions of `deliveries`, made and dropped without a lock that would keep a delivery waiting. */
@Injectable()
export class DeliveryPartitions {
  constructor(private readonly db: DataSource) {}

  /** Makes the partitions of `weeks` weeks from the one of `from` on, where they do not exist. */
  async ensure(from: Date, weeks: number): Promise<void> {
    const wanted = Array.from({ length: weeks }, (_, week) => {
      const start = new Date(weekStart(from).getTime() + week * WEEK_MS);
      return { name: nameOf(start), start, end: new Date(start.getTime() + WEEK_MS) };
    });
    const there = new Set((await partitions(this.db)).map((partition) => partition.name));
    if (wanted.every(({ name }) => there.has(name))) return;
    await this.db.transaction(async (manager) => {
      await manager.query(`SET LOCAL lock_timeout = '5s'`);
      await manager.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
      const now = new Set((await partitions(manager)).map((partition) => partition.name));
      for (const { name, start, end } of wanted.filter((partition) => !now.has(partition.name))) {
        // Made apart and attached: CREATE … PARTITION OF would shut out every reader and writer of `deliveries`.
        await manager.query(
          `CREATE TABLE ${name} (LIKE deliveries INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`,
        );
        // Bodies are compressed before they get here: PostgreSQL need not try again.
        await manager.query(`ALTER TABLE ${name} ALTER COLUMN body SET STORAGE EXTERNAL`);
        await manager.query(
          `ALTER TABLE deliveries ATTACH PARTITION ${name}
           FOR VALUES FROM ('${start.toISOString()}') TO ('${end.toISOString()}')`,
        );
      }
    });
  }

  /**
   * Drops every partition that ended before `cutoff`, one process at a time.
   * @returns the names dropped; null when another process is at it.
   */
  async dropBefore(cutoff: Date): Promise<string[] | null> {
    const guard = this.db.createQueryRunner();
    try {
      await guard.startTransaction();
      const [row] = (await guard.query('SELECT pg_try_advisory_xact_lock($1) AS mine', [LOCK])) as {
        mine: boolean;
      }[];
      return row?.mine === true ? await this.drop(cutoff) : null;
    } finally {
      if (guard.isTransactionActive) await guard.rollbackTransaction();
      await guard.release();
    }
  }

  private async drop(cutoff: Date): Promise<string[]> {
    const old = (await partitions(this.db)).filter(
      ({ start }) => start !== null && start.getTime() + WEEK_MS <= cutoff.getTime(),
    );
    for (const { name, attached, detaching } of old) {
      if (detaching) await this.db.query(`ALTER TABLE deliveries DETACH PARTITION ${name} FINALIZE`);
      else if (attached) await this.db.query(`ALTER TABLE deliveries DETACH PARTITION ${name} CONCURRENTLY`);
      await this.db.query(`DROP TABLE ${name}`);
    }
    return old.map(({ name }) => name);
  }
}

interface Partition {
  name: string;
  start: Date | null;
  attached: boolean;
  /** A detach was cut off half-way and must be finished. */
  detaching: boolean;
}

/** Also tables that a killed process had detached and not dropped. */
async function partitions(db: Pick<QueryRunner, 'query'> | Pick<DataSource, 'query'>): Promise<Partition[]> {
  const rows = (await db.query(`
    SELECT c.relname AS name, i.inhrelid IS NOT NULL AS attached, coalesce(i.inhdetachpending, false) AS detaching
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'deliveries'::regclass
    WHERE c.relkind = 'r' AND c.relname ~ '^deliveries_[0-9]{8}$'
      AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'deliveries'::regclass)
    ORDER BY c.relname`)) as Omit<Partition, 'start'>[];
  return rows.map((row) => ({ ...row, start: startOf(row.name) }));
}
