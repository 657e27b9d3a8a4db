import { lstat, mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DomainError } from '../../errors/domain-error.js';
import { type GitRepository, runGit } from '../repositories/git.facade.js';

/** Where all worktrees of a repository are, beside each other: inside it, and unknown to its own status. */
export const WORKTREES = '.worktrees';

const CHECKOUT_MS = 50_000;

/** Writes the files of a commit for the first time. */
const FILL = ['read-tree', '--reset', '-u'];

export const worktreePath = (git: GitRepository, branch: string): string => join(git.path, WORKTREES, branch);

/** What git keeps of the worktree at `path`: its own directory, found without asking the worktree. */
async function administration(git: GitRepository, path: string): Promise<string | null> {
  const all = join(git.git_dir, 'worktrees');
  for (const name of await readdir(all).catch(() => [])) {
    const gitdir = await readFile(join(all, name, 'gitdir'), 'utf8').catch(() => '');
    if (gitdir.trim() === join(path, '.git')) return join(all, name);
  }
  return null;
}

/** The index is written last: a worktree without one was being made when its maker died. */
export async function hasWorktree(git: GitRepository, path: string): Promise<boolean> {
  const directory = await administration(git, path);
  return (
    directory !== null && (await isThere(join(directory, 'index'))) && (await isThere(join(path, '.git')))
  );
}

/** Makes the worktree of a branch, and the branch from the default one where there is none. */
export async function addWorktree(git: GitRepository, path: string, branch: string): Promise<void> {
  const tip = await git.tipOf(branch);
  const start = tip ?? (await git.tipOf(git.default_branch));
  if (start === null)
    throw new DomainError('git_failed', `The repository has no branch '${git.default_branch}' to start from`);
  await prepareParent(git, path);
  // The files are not git's business yet: a filter that the repository's configuration names must not run.
  const create = tip === null ? ['--no-track', '-b', branch] : [];
  await git.run([
    'worktree',
    'add',
    '--quiet',
    '--no-checkout',
    ...create,
    '--',
    path,
    tip === null ? start : branch,
  ]);
  const directory = await administration(git, path);
  if (directory === null) throw new Error('git made a worktree and does not know it');
  const env = { GIT_WORK_TREE: path, GIT_INDEX_FILE: join(directory, 'index') };
  await git.read([...FILL, start], { env, timeout_ms: CHECKOUT_MS });
}

/** Takes away the worktree, or what is left of one; the branch stays. @returns whether there was anything. */
export async function removeWorktree(git: GitRepository, path: string): Promise<boolean> {
  if ((await administration(git, path)) === null) return false;
  await assertInside(git, path);
  await rm(path, { recursive: true, force: true });
  // Twice: also one that its maker had locked. The files are gone, so git looks at none.
  await runGit(git.path, ['worktree', 'remove', '--force', '--force', '--', path]);
  await runGit(git.path, ['worktree', 'prune']);
  return true;
}

async function prepareParent(git: GitRepository, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await assertInside(git, path);
  await excludeWorktrees(git);
  if (await isThere(path))
    throw new DomainError(
      'git_failed',
      `There is something at ${path} that is no worktree of this repository`,
    );
}

/** No link on the way: what is written and removed here must be the repository's own. */
async function assertInside(git: GitRepository, path: string): Promise<void> {
  const parent = dirname(path);
  if ((await realpath(parent).catch(() => parent)) !== parent)
    throw new DomainError('git_failed', `${join(git.path, WORKTREES)} leads somewhere else`);
}

/** By the repository's own list of what is not tracked, which is in no commit. */
export async function excludeWorktrees(git: GitRepository): Promise<void> {
  const line = `/${WORKTREES}/`;
  const file = join(git.git_dir, 'info', 'exclude');
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.split('\n').includes(line)) return;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`, { flag: 'a' });
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
