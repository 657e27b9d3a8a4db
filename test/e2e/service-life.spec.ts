import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChildOptions, ChildService, postgresPid } from '../support/child-service.js';
import { createTestDatabase } from '../support/database.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

const NOBODY = 65_534;
const root = process.getuid?.() === 0;
const secrets = {
  ENTOURAGE_JWT_SECRET: 'life-secret-life-secret-life-secret-life',
  ENTOURAGE_ENCRYPTION_KEY: Buffer.alloc(32, 5).toString('base64'),
};

const directories: string[] = [];
const children: ChildService[] = [];

async function temporaryDirectory(mode = 0o711): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'entourage-life-'));
  await chmod(directory, mode);
  directories.push(directory);
  return directory;
}

function start(env: Record<string, string>, options?: ChildOptions): ChildService {
  const child = new ChildService(env, options);
  children.push(child);
  return child;
}

/** Starts, and waits until it listens. */
async function started(
  env: Record<string, string>,
  options?: ChildOptions,
): Promise<{ child: ChildService; url: string }> {
  const child = start(env, options);
  return { child, url: await child.ready() };
}

/** Waits for a start that cannot succeed. */
async function refused(env: Record<string, string>, options?: ChildOptions): Promise<string[]> {
  const child = start(env, options);
  expect(await child.exited).toEqual({ code: 1, signal: null });
  return child.said.trim().split('\n');
}

/** As the loss of power does. */
async function killBoth(child: ChildService, directory: string): Promise<void> {
  child.signal('SIGKILL');
  process.kill(postgresPid(join(directory, 'postgres')) ?? 0, 'SIGKILL');
  await child.exited;
}

const post = (url: string, path: string, body: object): Promise<Response> =>
  fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
const account = { email: 'ada@example.com', name: 'Ada', password: 'correct horse battery' };
const loginStatus = async (url: string): Promise<number> => (await post(url, '/auth/login', account)).status;

describe('the life of the service', () => {
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.signal('SIGKILL');
      await child.exited;
    }
  });
  afterAll(async () => {
    for (const directory of directories) {
      const pid = postgresPid(join(directory, 'postgres'));
      if (pid !== null) process.kill(pid, 'SIGQUIT');
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  it('starts from nothing, stops on Ctrl-C, and keeps everything', async () => {
    const directory = await temporaryDirectory();
    const env = { ENTOURAGE_DATA_DIR: directory };
    const first = await started(env);
    expect(first.child.said).toMatch(/making the embedded database[^]*starting[^]*applied \d+ migration/);
    expect((await stat(join(directory, 'secrets.json'))).mode & 0o777).toBe(0o600);
    expect((await fetch(`${first.url}/docs-json`)).status).toBe(200);
    expect((await post(first.url, '/auth/register', account)).status).toBe(201);

    first.child.signal('SIGINT', true);
    // Impatience: each further one arrives while some other part is just being stopped.
    const cluster = join(directory, 'postgres');
    await until(() => {
      if (postgresPid(cluster) !== null) first.child.signal('SIGINT', true);
      return postgresPid(cluster) === null;
    }, 'the database to be stopped');
    expect(await first.child.exited).toEqual({ code: 0, signal: null });
    expect(first.child.said).toMatch(/stopped\n$/);
    expect(await readdir(directory)).not.toContain('service.lock');

    const second = await started(env);
    // How fast is measured by scripts/check-start-time.mjs, where nothing else runs.
    expect(second.child.said).not.toMatch(/making|applied/);
    expect(await loginStatus(second.url)).toBe(200);
  });

  it('comes back by itself after kill -9, of itself and of PostgreSQL', async () => {
    const directory = await temporaryDirectory();
    const env = { ENTOURAGE_DATA_DIR: directory };
    const first = await started(env);
    await post(first.url, '/auth/register', account);
    first.child.signal('SIGKILL');
    await first.child.exited;
    expect(postgresPid(join(directory, 'postgres'))).not.toBeNull();

    const second = await started(env);
    expect(second.child.said).toContain('an earlier, killed service left running');
    expect(await loginStatus(second.url)).toBe(200);
    await killBoth(second.child, directory);

    const third = await started(env);
    expect(await loginStatus(third.url)).toBe(200);
  });

  it.each([
    ['names a process that is not PostgreSQL', (file: string) => file.replace(/^\d+/, String(process.pid))],
    ['was left empty', () => ''],
  ])("starts though PostgreSQL's file of its process %s", async (_, left) => {
    const directory = await temporaryDirectory();
    const env = { ENTOURAGE_DATA_DIR: directory };
    const first = await started(env);
    await post(first.url, '/auth/register', account);
    const file = join(directory, 'postgres', 'postmaster.pid');
    const said = await readFile(file, 'utf8');
    await killBoth(first.child, directory);
    await writeFile(file, left(said));

    const second = await started(env);
    expect(await loginStatus(second.url)).toBe(200);
  });

  it('starts its PostgreSQL again when that is killed, and answers 503 meanwhile', async () => {
    const directory = await temporaryDirectory();
    const { child, url } = await started({ ENTOURAGE_DATA_DIR: directory });
    expect((await post(url, '/auth/register', account)).status).toBe(201);
    const killed = postgresPid(join(directory, 'postgres')) ?? 0;
    process.kill(killed, 'SIGKILL');
    // A connection's own process outlives the server's for a moment, and answers.
    await until(async () => (await loginStatus(url)) === 503, 'a login to be answered 503');
    const ready = async (): Promise<boolean> => (await fetch(`${url}/api/v1/health/ready`)).ok;
    await until(ready, 'the database to be back', 60_000);
    expect(await loginStatus(url)).toBe(200);
    expect(postgresPid(join(directory, 'postgres'))).not.toBe(killed);
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    expect(postgresPid(join(directory, 'postgres'))).toBeNull();
  });

  it('lets a second service on the same data directory know', async () => {
    const directory = await temporaryDirectory();
    const { child, url } = await started({ ENTOURAGE_DATA_DIR: directory });
    const lines = await refused({ ENTOURAGE_DATA_DIR: directory });
    expect(lines).toEqual([
      `entourage: ${directory} is in use by process ${child.pid}; stop it first or set ENTOURAGE_DATA_DIR to another directory`,
    ]);
    expect((await fetch(`${url}/api/v1/health/live`)).status).toBe(200);
  });

  it('says that its port is taken and stops what it started', async () => {
    const directory = await temporaryDirectory();
    const holder = createServer().listen(0, '127.0.0.1');
    await until(() => holder.listening, 'the port to be taken');
    const { port } = holder.address() as { port: number };
    try {
      const lines = await refused({ ENTOURAGE_DATA_DIR: directory, PORT: String(port) });
      expect(lines.at(-1)).toBe(
        `entourage: port ${port} on 127.0.0.1 is in use: stop what listens there or set PORT to another one`,
      );
      expect(postgresPid(join(directory, 'postgres'))).toBeNull();
      expect(await readdir(directory)).not.toContain('service.lock');
    } finally {
      holder.close();
    }
  });

  it('gives up a start on Ctrl-C, and the next start is none the worse', async () => {
    const directory = await temporaryDirectory();
    const child = start({ ENTOURAGE_DATA_DIR: directory });
    await until(() => child.said.includes('making the embedded database'), 'the start to be under way');
    child.signal('SIGINT', true);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.said).toContain('stopped before it was ready');
    expect(postgresPid(join(directory, 'postgres'))).toBeNull();
    await started({ ENTOURAGE_DATA_DIR: directory });
  });

  it('stops in time although a client holds its request open', async () => {
    const database = await createTestDatabase();
    const { child, url } = await started({
      ...secrets,
      DATABASE_URL: database.url,
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: '1',
    });
    const client = connect(Number(new URL(url).port), '127.0.0.1');
    client.on('error', () => undefined);
    client.write(
      'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    );
    await until(() => client.bytesWritten > 0, 'the request to be under way');
    const began = Date.now();
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(8_000);
    await database.drop();
  });

  it('uses DATABASE_URL and starts nothing of its own', async () => {
    const directory = join(await temporaryDirectory(), 'unused');
    const database = await createTestDatabase();
    const { child, url } = await started({
      ...secrets,
      DATABASE_URL: database.url,
      ENTOURAGE_DATA_DIR: directory,
    });
    expect((await fetch(`${url}/api/v1/health/ready`)).status).toBe(200);
    await expect(stat(directory)).rejects.toThrow('ENOENT');
    expect(child.log).toContain('"DATABASE_URL":"postgres://127.0.0.1');
    expect(child.log).not.toContain(secrets.ENTOURAGE_JWT_SECRET);
    await child.stop();
    await database.drop();
  });

  it('names the secrets that DATABASE_URL needs, and every wrong value, one a line', async () => {
    expect(await refused({ DATABASE_URL: 'postgres://u:hush@127.0.0.1:1/x' })).toEqual([
      'entourage: ENTOURAGE_JWT_SECRET must be set when DATABASE_URL is set',
      'entourage: ENTOURAGE_ENCRYPTION_KEY must be set when DATABASE_URL is set',
    ]);
    expect(await refused({ PORT: 'hush', ENTOURAGE_PROT: 'hush' })).toEqual([
      'entourage: PORT must be a whole number',
      'entourage: ENTOURAGE_PROT is not a variable of this service',
    ]);
  });

  it('says in one line that PostgreSQL does not answer', async () => {
    const lines = await refused({ ...secrets, DATABASE_URL: 'postgres://u:hush@127.0.0.1:1/x' });
    expect(lines.at(-1)).toMatch(/^entourage: PostgreSQL at DATABASE_URL does not answer/);
    expect(lines.join('\n')).not.toContain('hush');
  });

  it('says which data directory it cannot use', async () => {
    const file = join(await temporaryDirectory(), 'file');
    await writeFile(file, '');
    const [line] = await refused({ ENTOURAGE_DATA_DIR: join(file, 'data') });
    expect(line).toContain(join(file, 'data'));
    if (!root) return;
    const closed = await temporaryDirectory(0o755);
    const lines = await refused({ ENTOURAGE_DATA_DIR: join(closed, 'data') }, { uid: NOBODY, gid: NOBODY });
    expect(lines).toEqual([
      `entourage: ${join(closed, 'data')} cannot be written (EACCES): set ENTOURAGE_DATA_DIR to a directory this user may write to`,
    ]);
  });

  (root ? it : it.skip)('runs as root in a directory that no other user may enter', async () => {
    const directory = await temporaryDirectory(0o700);
    const env = { ENTOURAGE_DATA_DIR: join(directory, 'data') };
    const place = createHash('sha256')
      .update(join(directory, 'data', 'postgres'))
      .digest('hex')
      .slice(0, 12);
    directories.push(`/var/lib/entourage/${place}`);
    const first = await started(env);
    await post(first.url, '/auth/register', account);
    await first.child.stop();
    const second = await started(env);
    expect(await loginStatus(second.url)).toBe(200);
    await second.child.stop();
  });

  (root ? it : it.skip)('runs as a user without rights', async () => {
    const directory = await temporaryDirectory(0o777);
    const { child, url } = await started(
      { ENTOURAGE_DATA_DIR: join(directory, 'data'), HOME: directory },
      { uid: NOBODY, gid: NOBODY },
    );
    expect((await post(url, '/auth/register', account)).status).toBe(201);
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });
});
