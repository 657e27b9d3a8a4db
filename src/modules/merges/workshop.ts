import { mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gitFailed, type GitRepository, type GitResult, runGit } from '../repositories/git.facade.js';
import { excludeWorktrees, WORKTREES } from '../worktrees/worktrees.facade.js';
import { type ClaimedMerge } from './claim-merge.js';
import { MergePostponed } from './merge-outcome.js';

/** Who commits what merging makes. The domain is reserved (RFC 2606): no mail reaches anybody. */
const NAME = 'Entourage';
const EMAIL = 'no-reply@entourage.invalid';
export const IDENTITY = {
  GIT_AUTHOR_NAME: NAME,
  GIT_AUTHOR_EMAIL: EMAIL,
  GIT_COMMITTER_NAME: NAME,
  GIT_COMMITTER_EMAIL: EMAIL,
};

const WORK_MS = 120_000;

/** No branch begins with a dot, so no task's worktree is in the way. */
const place = (git: GitRepository): string => join(git.path, WORKTREES, '.merges');

/**
 * A directory of its own to merge in: a working tree with a git directory that shares the repository's objects and
 * nothing else, neither its branches nor its configuration.
 */
export class Workshop {
  private constructor(
    readonly directory: string,
    private readonly git: GitRepository,
    private readonly signal: AbortSignal,
  ) {}

  static async open(git: GitRepository, job: ClaimedMerge, signal: AbortSignal): Promise<Workshop> {
    const directory = join(place(git), `${job.id}-${job.fencing_token}`);
    await excludeWorktrees(git);
    await mkdir(place(git), { recursive: true });
    if ((await realpath(place(git))) !== place(git))
      throw new MergePostponed(`${dirname(place(git))} leads somewhere else`);
    await rm(directory, { recursive: true, force: true });
    const git_dir = join(directory, '.git');
    for (const part of ['refs', 'objects/info']) await mkdir(join(git_dir, part), { recursive: true });
    await writeFile(join(git_dir, 'HEAD'), 'ref: refs/heads/none\n');
    await writeFile(join(git_dir, 'config'), '[core]\n\trepositoryformatversion = 0\n');
    // For the checks, which may ask git something as well.
    await writeFile(join(git_dir, 'objects/info/alternates'), `${join(git.git_dir, 'objects')}\n`);
    return new Workshop(directory, git, signal);
  }

  /** What mergers that died have left: whoever has a repository's job is alone with it. */
  static sweep(git: GitRepository): Promise<void> {
    return rm(place(git), { recursive: true, force: true, maxRetries: 2 });
  }

  try(args: string[], input?: string): Promise<GitResult> {
    return runGit(this.directory, args, {
      env: {
        GIT_DIR: join(this.directory, '.git'),
        GIT_WORK_TREE: this.directory,
        ...this.git.objectsEnvironment,
        ...IDENTITY,
      },
      timeout_ms: WORK_MS,
      signal: this.signal,
      ...(input === undefined ? {} : { input }),
    });
  }

  /** @throws DomainError `git_failed` */
  async run(args: string[], input?: string): Promise<string> {
    const result = await this.try(args, input);
    if (result.code !== 0) throw gitFailed(result);
    return result.stdout.toString('utf8').trim();
  }

  close(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true, maxRetries: 2 });
  }
}
