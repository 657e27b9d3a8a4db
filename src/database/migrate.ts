import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { connectionOptions } from './connection-options.js';
import { MIGRATIONS } from './migrations/index.js';

/**
 * A migration, and the wait for one, may take longer than the role's own limit. And a transaction pooler, which would
 * keep the lock for good, in a session that is not this client's, refuses such options.
 */
const UNLIMITED = '-c statement_timeout=0';
const CHECK_MS = 1_000;
/** SQLSTATE 42P01. */
const UNDEFINED_TABLE = '42P01';

/** Any number, the same in every process: the advisory lock that lets one of them migrate. */
const MIGRATION_LOCK = createHash('sha256').update('entourage migrations').digest().readInt32BE(0);

/**
 * Applies the pending migrations, one process at a time: the others wait for its advisory lock and then find nothing
 * to do. `url` must be a direct connection, not a transaction pooler.
 * @returns the names of the migrations applied.
 */
export async function migrate(url: string): Promise<string[]> {
  const lock = await connect(url);
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const options = connectionOptions(url, [], 2, true);
    const source = new DataSource({
      ...options,
      extra: { ...(options.extra as object), options: UNLIMITED },
    });
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

/**
 * Waits until every migration that this version knows was applied by somebody else.
 * @param waiting told once, when there is something to wait for.
 */
export async function migrationsApplied(
  url: string,
  { waiting, signal }: { waiting: (why: string) => void; signal: AbortSignal | undefined },
): Promise<void> {
  const client = await connect(url);
  try {
    for (let told = false; ; told = true) {
      const pending = await pendingMigrations(client);
      if (pending.length === 0) return;
      if (!told)
        waiting(
          `waiting for ${pending.length} migration(s) that this process may not apply (ENTOURAGE_MIGRATE): ` +
            pending.join(', '),
        );
      await delay(CHECK_MS, undefined, { signal });
    }
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'entourage-migrate',
    options: UNLIMITED,
  });
  // Lost while it only waits: unheard, that would end the process; what is asked next fails.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function pendingMigrations(client: pg.Client): Promise<string[]> {
  const applied = await client.query<{ name: string }>('SELECT name FROM migrations').then(
    ({ rows }) => new Set(rows.map(({ name }) => name)),
    (error: unknown) => {
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return new Set<string>();
      throw error;
    },
  );
  return MIGRATIONS.map(({ name }) => name).filter((name) => !applied.has(name));
}
