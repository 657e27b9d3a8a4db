import { join } from 'node:path';
import { gitFailed, gitOrFail } from './git.js';
import { type GitOptions, type GitResult, runGit } from './run-git.js';

/**
 * A repository whose place on the disk was just checked. Its own configuration is only obeyed by `run`, which is for
 * commands that start nothing and read no file: names of branches, their changes, the list of worktrees.
 */
export class GitRepository {
  readonly git_dir: string;

  constructor(
    readonly path: string,
    readonly default_branch: string,
    private readonly blank: string,
  ) {
    this.git_dir = join(path, '.git');
  }

  /** @throws DomainError `git_failed` */
  run(args: string[], options?: GitOptions): Promise<string> {
    return gitOrFail(this.path, args, options);
  }

  /** What lets git work on this repository's objects from another git directory. */
  get objectsEnvironment(): Record<string, string> {
    return {
      GIT_OBJECT_DIRECTORY: join(this.git_dir, 'objects'),
      GIT_SHALLOW_FILE: join(this.git_dir, 'shallow'),
    };
  }

  /** Runs git on the objects alone, by their ids: see `BlankGitDirectory`. */
  onObjects(args: string[], { env, ...options }: GitOptions = {}): Promise<GitResult> {
    return runGit(env?.['GIT_WORK_TREE'] ?? this.blank, args, {
      ...options,
      env: { GIT_DIR: this.blank, ...this.objectsEnvironment, ...env },
    });
  }

  /** As `onObjects`, for what must succeed. @throws DomainError `git_failed` */
  async read(args: string[], options?: GitOptions): Promise<Buffer> {
    const result = await this.onObjects(args, options);
    if (result.code !== 0 && !result.truncated) throw gitFailed(result);
    return result.stdout;
  }

  /** The commit at the tip of a branch, null when there is no such branch. */
  tipOf(branch: string): Promise<string | null> {
    return this.commitAt(`refs/heads/${branch}`);
  }

  async commitAt(ref: string): Promise<string | null> {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
    const { code, stdout } = await runGit(this.path, args);
    return code === 0 ? stdout.toString('latin1').trim() : null;
  }

  /** Null when the two have no history in common. */
  async mergeBase(one: string, other: string): Promise<string | null> {
    const { code, stdout } = await this.onObjects(['merge-base', one, other]);
    return code === 0 ? stdout.toString('latin1').trim() : null;
  }

  async contains(tip: string, commit: string): Promise<boolean> {
    const result = await this.onObjects(['merge-base', '--is-ancestor', commit, tip]);
    // 128: the commit is not even there.
    return result.code === 0;
  }
}
