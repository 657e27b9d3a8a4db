import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { type GitRepository, type GitResult, saidByGit } from '../repositories/git.facade.js';
import { MergePostponed } from './merge-outcome.js';

const CHECKOUT_MS = 60_000;
const MAX_SHOWN = 5;

/**
 * Where people may have the default branch checked out. When it moves, the files move along as by `merge --ff-only`, or it
 * does not move: a checkout left behind would show the merge undone, ready to be committed.
 */
export class MainCheckout {
  constructor(private readonly git: GitRepository) {}

  /**
   * Whether the checkout can go from one commit to another without losing a change or a file of anybody's.
   * @throws MergePostponed when it cannot.
   */
  async assertCanFollow(onto: string, commit: string): Promise<void> {
    await this.assertNoOtherCheckout();
    if (!(await this.isOnDefault())) return;
    // What only looks changed because its time is newer.
    await this.onFiles(['update-index', '-q', '--refresh']);
    const rehearsal = await this.onFiles(['read-tree', '-m', '-u', '--dry-run', onto, commit]);
    if (rehearsal.code !== 0) throw inTheWay(saidByGit(rehearsal.stderr));
    // Git would write over files that are ignored.
    const added = await this.git.read([
      'diff-tree',
      '-r',
      '-z',
      '--no-renames',
      '--diff-filter=A',
      '--name-only',
      onto,
      commit,
    ]);
    const there: string[] = [];
    for (const name of added.toString('utf8').split('\0').filter(Boolean))
      if (await isThere(join(this.git.path, name))) there.push(name);
    if (there.length > 0) throw inTheWay(`${there.slice(0, MAX_SHOWN).join(', ')} would be written over`);
  }

  /** @returns why the files could not follow; null when they did, or need not. */
  async follow(onto: string, commit: string): Promise<string | null> {
    if (!(await this.isOnDefault())) return null;
    await this.onFiles(['update-index', '-q', '--refresh']);
    const { code, stderr } = await this.onFiles(['read-tree', '-m', '-u', onto, commit]);
    return code === 0
      ? null
      : `Merged, but the files of the main checkout could not follow: ${saidByGit(stderr)}`;
  }

  private async isOnDefault(): Promise<boolean> {
    const head = await this.git.run(['symbolic-ref', '--quiet', 'HEAD']).catch(() => '');
    return head === `refs/heads/${this.git.default_branch}`;
  }

  /** One elsewhere is not ours to write to: where it lies is told by a file that anybody may have written. */
  private async assertNoOtherCheckout(): Promise<void> {
    const list = await this.git.run(['worktree', 'list', '--porcelain']);
    const [, ...linked] = list.split('\n\n');
    const line = `branch refs/heads/${this.git.default_branch}`;
    const other = linked.find((worktree) => worktree.split('\n').includes(line));
    if (other !== undefined)
      throw new MergePostponed(
        `The default branch is checked out in a second worktree: ${other.split('\n')[0]?.replace('worktree ', '')}`,
      );
  }

  private onFiles(args: string[]): Promise<GitResult> {
    const env = { GIT_WORK_TREE: this.git.path, GIT_INDEX_FILE: join(this.git.git_dir, 'index') };
    return this.git.onObjects(args, { env, timeout_ms: CHECKOUT_MS });
  }
}

const inTheWay = (what: string): MergePostponed =>
  new MergePostponed(`Changes in the main checkout that are not committed are in the way: ${what}`);

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
