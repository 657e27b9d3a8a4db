import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** Secrets made once on first start and kept in the data directory. */
export interface GeneratedSecrets {
  jwt_secret: string;
  encryption_key: string;
  database_password: string;
}

export class DataDirectoryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DataDirectoryError';
  }
}

/**
 * Makes the directory and takes its lock, so that two services never run one embedded database. The lock names a
 * process and its start time: what a killed process left behind is taken over.
 * @returns a function that gives the lock back.
 * @throws DataDirectoryError while another live process holds it.
 */
export async function lockDataDirectory(path: string): Promise<() => Promise<void>> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const lock = join(directory, 'service.lock');
  const mine = JSON.stringify({ pid: process.pid, started: await processStart(process.pid) });
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      const file = await open(lock, 'wx', 0o600);
      await file.writeFile(mine);
      await file.close();
      return () => rm(lock, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(lock);
    if (holder !== null && (await processStart(holder.pid)) === holder.started)
      throw new DataDirectoryError(
        `${directory} is in use by process ${holder.pid}; stop it first or set ENTOURAGE_DATA_DIR to another directory`,
      );
    await rm(lock, { force: true });
  }
  throw new DataDirectoryError(`${lock} could not be taken`);
}

async function readHolder(lock: string): Promise<{ pid: number; started: string } | null> {
  try {
    return JSON.parse(await readFile(lock, 'utf8')) as { pid: number; started: string };
  } catch {
    return null;
  }
}

/** What tells a live process from a later one with the same id; null when there is no such process. */
async function processStart(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return afterName[0] === 'Z' ? null : (afterName[19] ?? '');
  } catch {
    // No /proc on this system, or no such process: fall back to whether a signal could be sent.
  }
  if (process.platform === 'linux') return null;
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return null;
  }
}

/** Reads the secrets of a data directory, making them (mode 0600) when they are not there yet. */
export async function loadSecrets(path: string): Promise<GeneratedSecrets> {
  const file = join(resolve(path), 'secrets.json');
  try {
    await chmod(file, 0o600);
    return JSON.parse(await readFile(file, 'utf8')) as GeneratedSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secrets: GeneratedSecrets = {
    jwt_secret: randomBytes(48).toString('base64url'),
    encryption_key: randomBytes(32).toString('base64'),
    database_password: randomBytes(24).toString('base64url'),
  };
  await writeFile(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return secrets;
}
