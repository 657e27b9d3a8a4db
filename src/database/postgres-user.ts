import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, cp, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface UnixUser {
  uid: number;
  gid: number;
}

/**
 * PostgreSQL refuses to run as root. Started as root, the service runs it as the system user `postgres`, which is
 * made when it does not exist. Null when the service is not root.
 */
export async function postgresUser(): Promise<UnixUser | null> {
  if (process.getuid?.() !== 0) return null;
  const known = await findUser('postgres');
  if (known !== null) return known;
  await run('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ]);
  const made = await findUser('postgres');
  if (made === null) throw new Error('the system user "postgres" could not be made');
  return made;
}

async function findUser(name: string): Promise<UnixUser | null> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

/** Whether `user` may pass through every directory above `path`. */
async function mayReach(user: UnixUser, path: string): Promise<boolean> {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const facts = await stat(directory);
    const bit = facts.uid === user.uid ? 0o100 : facts.gid === user.gid ? 0o010 : 0o001;
    if ((facts.mode & bit) === 0) return false;
    if (directory === dirname(directory)) return true;
  }
}

/**
 * Where PostgreSQL's programs and data can live so that `user` reaches them: where they are, or, below a closed
 * directory such as /root, a place under /var/lib/entourage that belongs to this data directory alone.
 */
export async function reachablePlaces(
  user: UnixUser | null,
  places: { native: string; data: string },
): Promise<{ native: string; data: string }> {
  if (user === null) return places;
  const moved = { ...places };
  if (!(await mayReach(user, join(places.data, 'x')).catch(() => mayReach(user, places.data)))) {
    const own = createHash('sha256').update(places.data).digest('hex').slice(0, 12);
    moved.data = `/var/lib/entourage/${own}/postgres`;
    await mkdir(dirname(moved.data), { recursive: true, mode: 0o755 });
  }
  if (!(await mayReach(user, join(places.native, 'bin', 'postgres')))) {
    const version = createHash('sha256').update(places.native).digest('hex').slice(0, 12);
    moved.native = `/var/lib/entourage/programs-${version}`;
    const complete = await access(join(moved.native, 'share'), constants.F_OK).then(
      () => true,
      () => false,
    );
    if (!complete) {
      await mkdir(moved.native, { recursive: true, mode: 0o755 });
      for (const part of ['bin', 'lib', 'share'])
        await cp(join(places.native, part), join(moved.native, part), {
          recursive: true,
          verbatimSymlinks: true,
        });
    }
  }
  return moved;
}
