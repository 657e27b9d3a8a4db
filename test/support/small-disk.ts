import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory on a disk of its own, of a few megabytes, to be filled on purpose. */
export interface SmallDisk {
  directory: string;
  /** Takes what is left, to the last block. */
  fill(): void;
  free(): void;
  remove(): void;
}

/** Null where this user may not mount: that takes root with CAP_SYS_ADMIN. */
export function makeSmallDisk(mebibytes: number): SmallDisk | null {
  const directory = mkdtempSync(join(tmpdir(), 'small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0711`, 'small-disk', directory], {
      stdio: 'pipe',
    });
  } catch {
    rmdirSync(directory);
    return null;
  }
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill: () => {
      const file = openSync(ballast, 'a');
      try {
        for (const size of [1024 * 1024, 4096])
          try {
            for (const block = Buffer.alloc(size); ;) writeSync(file, block);
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove: () => {
      // Whatever still has a file open on it: the name is gone at once, the disk with the last of them.
      execFileSync('umount', ['--lazy', directory]);
      rmdirSync(directory);
    },
  };
}
