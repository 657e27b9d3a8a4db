import { type Settings } from './config/settings.js';
import { migrate } from './database/migrate.js';
import { resolveDatabase, type StartOptions } from './resolve-database.js';

/** Applies the pending migrations and serves nothing: what is run before, or beside, processes that only serve. */
export async function migrateOnly(settings: Settings, options: StartOptions = {}): Promise<void> {
  const { progress = () => undefined, signal } = options;
  const undo: (() => Promise<void>)[] = [];
  try {
    const { DATABASE_DIRECT_URL, DATABASE_URL } = await resolveDatabase(settings, options, undo);
    signal?.throwIfAborted();
    const applied = await migrate(DATABASE_DIRECT_URL ?? DATABASE_URL);
    for (const name of applied) progress(`applied the migration ${name}`);
    progress(
      applied.length === 0 ? 'no migration was pending' : `the schema is complete; ${applied.length} applied`,
    );
  } finally {
    for (const step of undo.toReversed()) await step();
  }
}
