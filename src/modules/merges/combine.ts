import { gitFailed, type GitResult } from '../repositories/git.facade.js';
import { type MergeStrategy } from './merge-job.entity.js';
import { MergeRefused } from './merge-outcome.js';
import { type Workshop } from './workshop.js';

export interface Combination {
  strategy: MergeStrategy;
  onto: string;
  head: string;
  task: { id: number; title: string };
}

const MAX_TITLE = 200;
const MAX_FILES = 50;
const UNSIGNED = ['--no-gpg-sign', '--no-verify'];

/**
 * Makes what the default branch is to become: `head` on top of `onto`.
 * @returns the new commit; `onto` itself when there was nothing to add.
 * @throws MergeRefused with the files in conflict.
 */
export async function combine(workshop: Workshop, wanted: Combination): Promise<string> {
  const { strategy, onto, head, task } = wanted;
  await workshop.run(['checkout', '--quiet', '--force', '--detach', onto, '--']);
  const title = cleanTitle(task.title);
  const trailer = `Entourage-Task: ${task.id}`;
  if (strategy === 'rebase') {
    const onTop = ['--no-fork-point', '--no-autostash', '--no-gpg-sign', '--no-verify', '--onto', onto];
    await orConflict(workshop, await workshop.try(['rebase', '--quiet', ...onTop, onto, head]));
  } else if (strategy === 'merge') {
    const message = `Merge task ${task.id}: ${title}\n\n${trailer}\n`;
    await orConflict(
      workshop,
      await workshop.try(['merge', '--quiet', '--no-ff', '--no-edit', ...UNSIGNED, '-m', message, head]),
    );
  } else {
    await orConflict(workshop, await workshop.try(['merge', '--quiet', '--squash', head]));
    const { code } = await workshop.try(['diff', '--cached', '--quiet', '--no-ext-diff']);
    if (code === 0) return onto;
    const message = `${title} (task ${task.id})\n\n${trailer}\n`;
    await workshop.run(['commit', '--quiet', ...UNSIGNED, '-F', '-'], message);
  }
  return workshop.run(['rev-parse', '--verify', 'HEAD']);
}

/** One line of plain text, whatever GitHub had there. */
const cleanTitle = (title: string): string =>
  title
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_TITLE)
    .toWellFormed() || 'Untitled';

async function orConflict(workshop: Workshop, result: GitResult): Promise<void> {
  if (result.code === 0) return;
  const unmerged = await workshop.try(['diff', '--name-only', '--diff-filter=U', '-z', '--no-ext-diff']);
  const files = unmerged.stdout.toString('utf8').split('\0').filter(Boolean);
  if (files.length === 0) throw new MergeRefused('git_failed', gitFailed(result).detail);
  const shown = files.slice(0, MAX_FILES);
  const more = files.length > shown.length ? ` and ${files.length - shown.length} more` : '';
  throw new MergeRefused(
    'conflict',
    `The branch conflicts with the default branch in ${shown.join(', ')}${more}`,
    {
      files: shown,
    },
  );
}
