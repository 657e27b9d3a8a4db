import { type ClientBase } from 'pg';
import { type EntitySchema, type MixedList } from 'typeorm';
import { type PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { MIGRATIONS } from './migrations/index.js';

/* eslint-disable-next-line @typescript-eslint/no-unsafe-function-type */
export type Entities = MixedList<Function | string | EntitySchema>;

/**
 * The one way this service connects through TypeORM: the application, the migrations and `ormconfig.ts` all use it.
 * A connection that cannot be had in 1.5 s is an error, so that a receiver can still answer 503 within 2 s.
 */
export function connectionOptions(
  url: string,
  entities: Entities,
  poolSize: number,
): PostgresDataSourceOptions {
  return {
    type: 'postgres',
    url,
    entities,
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    parseInt8: true,
    poolSize,
    applicationName: 'entourage',
    connectTimeoutMS: 1_500,
    extra: {
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      keepAlive: true,
      onConnect: hearErrors,
    },
  };
}

/**
 * Between pool and query runner a connection is nobody's for a moment: when the server's farewell comes together with
 * its greeting, nobody hears the error and it would end the process. Whoever uses the connection learns of it by its query.
 */
const hearErrors = (client: ClientBase): void => void client.on('error', () => undefined);
