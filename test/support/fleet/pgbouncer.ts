import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from '../until.js';

/** The first version that follows named prepared statements in transaction mode. */
const FIRST = [1, 21] as const;

interface Program {
  path: string | null;
  /** Why there is none that can be tested. */
  missing: string;
}

/** PgBouncer as the machine has it: neither npm nor the service brings it. */
export function findPgBouncer(): Program {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const paths = places.map((place) => join(place, 'pgbouncer')).filter((path) => existsSync(path));
  const [path] = paths.filter((one) => isNewEnough(versionOf(one)));
  if (path !== undefined) return { path, missing: '' };
  const found = paths.map((one) => `${one} is ${versionOf(one)}`).join(', ');
  return {
    path: null,
    missing: `needs PgBouncer ${FIRST.join('.')} or newer; ${found || 'none is installed'}`,
  };
}

const versionOf = (path: string): string =>
  /PgBouncer (\d+\.\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1] ?? '0.0';

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > FIRST[0] || (major === FIRST[0] && minor >= FIRST[1]);
}

/** What docs/scaling.md says is needed, with so few connections that every transaction may get another one. */
const configuration = (server: URL, port: number): string => `
[databases]
* = host=${server.hostname} port=${server.port} user=${server.username} password=${decodeURIComponent(server.password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_prepared_statements = 200
max_client_conn = 500
default_pool_size = 4
log_connections = 0
log_disconnections = 0
`;

export interface PgBouncer {
  /** The same database, through the pooler. */
  url: string;
  stop(): Promise<void>;
}

export async function startPgBouncer(path: string, direct_url: string): Promise<PgBouncer> {
  const directory = mkdtempSync(join(tmpdir(), 'pgbouncer-'));
  chmodSync(directory, 0o755);
  const port = await freePort();
  const url = new URL(direct_url);
  const file = join(directory, 'pgbouncer.ini');
  writeFileSync(file, configuration(url, port));
  // It refuses to run as root.
  const child = spawn(path, [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const exited = new Promise((done) => child.once('close', done));
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(`PgBouncer did not start:\n${said}`);
      return accepts(port);
    },
    'PgBouncer to listen',
    20_000,
  );
  url.port = String(port);
  return {
    url: url.href,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => done(true));
    socket.on('error', () => done(false)).unref();
    socket.on('connect', () => socket.destroy());
  });

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
