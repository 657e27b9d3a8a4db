// One PostgreSQL for the whole run, with a migrated template that every suite copies its own database from.
// Runs outside jest's transform, so it uses the build that `npm test` has just made.
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/database/embedded-postgres.js';
import { migrate } from '../../dist/src/database/migrate.js';

export default async function setup() {
  const directory = await mkdtemp(join(tmpdir(), 'entourage-test-'));
  await chmod(directory, 0o711); // Started by root, PostgreSQL runs as a user of its own.
  const server = await startEmbeddedPostgres({
    directory,
    password: 'test',
    settings: { fsync: 'off', max_connections: '300' },
  });
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query('CREATE DATABASE template_entourage');
  await migrate(server.url.replace(/\/entourage$/, '/template_entourage'));
  await admin.end();
  process.env.TEST_POSTGRES_URL = server.url;
  globalThis.testPostgres = { server, directory };
}
