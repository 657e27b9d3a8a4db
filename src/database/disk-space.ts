import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type Pool, type PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import { type PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';

/** SQLSTATE disk_full. */
const DISK_FULL = '53100';
/** As much as lets PostgreSQL go on for more than a moment; given back at once. */
const PROBE = `CREATE TEMPORARY TABLE disk_probe ON COMMIT DROP AS
  SELECT repeat(md5(n::text), 200) FROM generate_series(1, 200) AS n`;
const PROBE_MS = 1_000;

/** The part of pg's client that hears the server's errors before anybody handles them. */
type Listenable = PoolClient & {
  connection: { on(event: 'errorMessage', heard: (error: { code?: string }) => void): void };
};

/**
 * Whether PostgreSQL has room to write. Reads go on when its disk is full, so a look at the database says nothing; what
 * says it is that a statement of this process failed for it, and until one can write again that it is still so.
 */
@Injectable()
export class DiskSpace implements OnModuleInit {
  private full = false;
  private probed_at = 0;

  constructor(private readonly db: DataSource) {}

  onModuleInit(): void {
    const pool = (this.db.driver as PostgresDriver).master as Pool;
    const heard = new WeakSet<PoolClient>();
    // Not on `connect`: the pool has had a connection since before this began.
    pool.on('acquire', (client) => {
      if (heard.has(client)) return;
      heard.add(client);
      (client as Listenable).connection.on('errorMessage', ({ code }) => {
        if (code === DISK_FULL) this.full = true;
      });
    });
  }

  async isFull(): Promise<boolean> {
    if (!this.full || performance.now() - this.probed_at < PROBE_MS) return this.full;
    this.probed_at = performance.now();
    // A failure for another reason tells nothing of the disk.
    await this.db
      .transaction((manager) => manager.query(PROBE))
      .then(
        () => (this.full = false),
        () => undefined,
      );
    return this.full;
  }
}
