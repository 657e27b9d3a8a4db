import { type PoolClient } from 'pg';
import { type EntityManager, type QueryRunner } from 'typeorm';

/** A statement that each connection parses and plans once. */
export interface PreparedStatement {
  name: string;
  text: string;
}

/** Runs a hot statement past TypeORM, which knows no named statements, on the runner's own connection. */
export async function prepared<Row>(
  runner: QueryRunner,
  statement: PreparedStatement,
  values: unknown[],
): Promise<Row[]> {
  const client = (await runner.connect()) as PoolClient;
  const { rows } = await client.query<Row & object>({ ...statement, values });
  return rows;
}

/** The same for whoever has a manager: on the connection of its transaction, else on any. */
export async function preparedBy<Row>(
  manager: EntityManager,
  statement: PreparedStatement,
  values: unknown[],
): Promise<Row[]> {
  if (manager.queryRunner !== undefined) return prepared(manager.queryRunner, statement, values);
  const runner = manager.dataSource.createQueryRunner();
  try {
    return await prepared(runner, statement, values);
  } finally {
    await runner.release();
  }
}
