import { createHash } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { connectionOptions } from './connection-options.js';

/** Any number, the same in every process: the advisory lock that lets one of them migrate. */
const MIGRATION_LOCK = createHash('sha256').update('entourage migrations').digest().readInt32BE(0);

/**
 * Applies the pending migrations, one process at a time: the others wait for its advisory lock and then find nothing
 * to do. `url` must be a direct connection, not a transaction pooler.
 * @returns the names of the migrations applied.
 */
export async function migrate(url: string): Promise<string[]> {
  const lock = new pg.Client({ connectionString: url, application_name: 'entourage-migrate' });
  await lock.connect();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const source = new DataSource({ ...connectionOptions(url, [], 2), extra: {} });
    await source.initialize();
    try {
      return (await source.runMigrations()).map((migration) => migration.name);
    } finally {
      await source.destroy();
    }
  } finally {
    await lock.end();
  }
}
