// Finds drift: the migrations must make exactly the schema the entities describe, and each must be reversible.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';

const { startEmbeddedPostgres } = await import('../dist/src/database/embedded-postgres.js');
const { connectionOptions } = await import('../dist/src/database/connection-options.js');
const { ENTITIES } = await import('../dist/src/entities.js');

const directory = await mkdtemp(join(tmpdir(), 'entourage-drift-'));
await chmod(directory, 0o711); // Started by root, PostgreSQL runs as a user of its own.
const server = await startEmbeddedPostgres({ directory, password: 'drift', settings: { fsync: 'off' } });
const source = new DataSource(connectionOptions(server.url, ENTITIES, 2));
try {
  await source.initialize();
  const applied = await source.runMigrations();
  for (const _ of applied) await source.undoLastMigration();
  await source.runMigrations();
  const { upQueries } = await source.driver.createSchemaBuilder().log();
  for (const { query } of upQueries) console.error(`drift: ${query}`);
  console.log(
    upQueries.length === 0
      ? `no drift; ${applied.length} migrations up, down and up again`
      : 'migrations and entities differ',
  );
  process.exitCode = upQueries.length === 0 ? 0 : 1;
} finally {
  await source.destroy();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}
