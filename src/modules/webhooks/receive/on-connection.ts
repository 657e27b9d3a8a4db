import { type PoolClient } from 'pg';
import { type DataSource, type QueryRunner } from 'typeorm';

/** The part of pg's client that ends a connection without asking the server. */
type Cuttable = PoolClient & { connection: { stream: { destroy(): void } } };

/**
 * Works on a connection of its own, which is cut when the database takes longer: behind a dead network nothing else
 * would end the statement, and the pool would run dry.
 */
export async function onConnection<T>(
  db: DataSource,
  milliseconds: number,
  work: (runner: QueryRunner, client: PoolClient) => Promise<T>,
): Promise<T> {
  const runner = db.createQueryRunner();
  let timer: NodeJS.Timeout | undefined;
  try {
    const client = (await runner.connect()) as Cuttable;
    timer = setTimeout(() => client.connection.stream.destroy(), milliseconds);
    return await work(runner, client);
  } finally {
    clearTimeout(timer);
    await runner.release().catch(() => undefined);
  }
}
