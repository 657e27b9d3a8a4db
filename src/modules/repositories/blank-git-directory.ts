import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A git directory of our own with nothing in it. Git that runs in it on a repository's objects obeys no configuration but
 * ours: no filter, merge driver, diff driver, alias or signature program that whoever can write into the repository might
 * have named is known, let alone started.
 */
@Injectable()
export class BlankGitDirectory implements OnApplicationShutdown {
  private made: Promise<string> | null = null;

  async path(): Promise<string> {
    const path = await (this.made ??= make());
    // Somebody may tidy up the temporary directory.
    const isThere = await access(join(path, 'HEAD')).then(
      () => true,
      () => false,
    );
    return isThere ? path : (this.made = make());
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.made !== null) await rm(await this.made, { recursive: true, force: true });
  }
}

async function make(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'entourage-git-'));
  await mkdir(join(path, 'objects'));
  await mkdir(join(path, 'refs'));
  await writeFile(join(path, 'config'), '[core]\n\trepositoryformatversion = 0\n');
  await writeFile(join(path, 'HEAD'), 'ref: refs/heads/none\n');
  return path;
}
