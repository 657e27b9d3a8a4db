import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { isDatabaseUnavailable } from '../../src/errors/database-errors.js';
import { asAdmin, connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/until.js';

describe('a connection that is lost', () => {
  let database: TestDatabase;
  let db: DataSource;
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  /** What a transaction ends with whose backend is killed while it does something else. */
  const failure = (next: (query: (sql: string) => Promise<unknown>) => Promise<unknown>): Promise<unknown> =>
    db
      .transaction(async (manager) => {
        const [{ pid }] = await manager.query<[{ pid: number }]>('SELECT pg_backend_pid() AS pid');
        await asAdmin('SELECT pg_terminate_backend($1)', [pid]);
        await until(() => manager.queryRunner?.isReleased, 'the loss to be noticed');
        return next((sql) => manager.query(sql));
      })
      .then(
        () => null,
        (error: unknown) => error,
      );

  it('between two statements of a transaction is the database, not the request', async () => {
    expect(isDatabaseUnavailable(await failure((query) => query('SELECT 1')))).toBe(true);
  });

  it('before the commit of a transaction is the database, not the request', async () => {
    expect(isDatabaseUnavailable(await failure(() => Promise.resolve()))).toBe(true);
  });
});
