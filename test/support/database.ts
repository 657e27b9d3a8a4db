import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { connectionOptions } from '../../src/database/connection-options.js';
import { ENTITIES } from '../../src/entities.js';

const serverUrl = (): string => {
  const url = process.env['TEST_POSTGRES_URL'];
  if (url === undefined) throw new Error('the test PostgreSQL is not running: start tests with `npm test`');
  return url;
};

export interface TestDatabase {
  url: string;
  name: string;
  drop(): Promise<void>;
}

/** A migrated, empty database of the suite's own. */
export const createTestDatabase = (): Promise<TestDatabase> => copyOf('template_entourage');

/** One without even the schema. */
export const createEmptyDatabase = (): Promise<TestDatabase> => copyOf('template0');

async function copyOf(template: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdmin(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY wal_log`);
  return {
    name,
    url: serverUrl().replace(/\/entourage$/, `/${name}`),
    drop: () => asAdmin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** Runs one statement as the server's superuser: to cut connections, for example. */
export async function asAdmin(sql: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    await client.query(sql, values);
  } finally {
    await client.end();
  }
}

/** A connected DataSource for suites that test below the application. */
export const connectTo = (url: string): Promise<DataSource> =>
  new DataSource(connectionOptions(url, ENTITIES, 10)).initialize();
