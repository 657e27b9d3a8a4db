import { DomainError } from '../../errors/domain-error.js';
import { type GitOptions, type GitResult, runGit } from './run-git.js';

const MAX_SAID = 500;

/** @returns what git printed, without the last line break; null when git failed. */
export async function git(directory: string, ...args: string[]): Promise<string | null> {
  const { code, stdout } = await runGit(directory, args);
  return code === 0 ? withoutBreak(stdout.toString('utf8')) : null;
}

/**
 * As `git`, for what must succeed.
 * @throws DomainError `git_failed` with what git said.
 */
export async function gitOrFail(
  directory: string,
  args: string[],
  options: GitOptions = {},
): Promise<string> {
  const result = await runGit(directory, args, options);
  if (result.code !== 0) throw gitFailed(result);
  return withoutBreak(result.stdout.toString('utf8'));
}

export const gitFailed = (result: Pick<GitResult, 'stderr' | 'timed_out'>): DomainError =>
  new DomainError('git_failed', result.timed_out ? 'git took too long' : saidByGit(result.stderr));

/** Git's own words for a person: without advice, credentials and what a terminal would obey. */
export function saidByGit(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint:'));
  const text = lines.join('\n').replaceAll(/[^\P{C}\n]/gu, '');
  return withoutCredentials(text).slice(0, MAX_SAID) || 'git failed without saying why';
}

/** `https://token@host/…` → `https://host/…`, wherever it stands in a text. */
export const withoutCredentials = (text: string): string =>
  text.replaceAll(/\b([a-z][a-z+.-]*:\/\/)[^\s/'"]*@/gi, '$1');

const withoutBreak = (text: string): string => text.replace(/\r?\n$/, '');
