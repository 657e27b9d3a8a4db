import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../../src/database/embedded-postgres.js';
import { postgresPid } from '../child-service.js';
import { until } from '../until.js';
import { type Query, queryOn } from './query.js';

/** SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one: what a crash looks like. */
export type Shutdown = 'SIGINT' | 'SIGQUIT';

export interface PrivatePostgres {
  url: string;
  query: Query;
  /** Shut down, and started again where it was. */
  restart(how: Shutdown): Promise<void>;
  close(): Promise<void>;
}

/** A server of the suite's own, which may be broken without breaking others. */
export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'entourage-own-'));
  await chmod(directory, 0o711);
  const server = await startEmbeddedPostgres({
    directory,
    password: 'test',
    keep: true,
    settings: { fsync: 'off' },
  });
  const cluster = join(directory, 'postgres');
  const query = queryOn(server.url);
  return {
    url: server.url,
    query,
    restart: async (how) => {
      const before = postgresPid(cluster);
      if (before === null) throw new Error('the server was not running');
      process.kill(before, how);
      await until(() => postgresPid(cluster) !== before, 'the server to end', 30_000);
      await until(() => query('SELECT 1').catch(() => null), 'the server to be back', 60_000);
    },
    close: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
