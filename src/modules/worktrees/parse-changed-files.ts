import { type ChangedFileDto } from './worktrees.dto.js';

/**
 * Reads `git diff --raw --numstat -z`: first a record for each file with its status, then, in the same order, one with its
 * lines. Every part ends with a zero byte; a renamed file has two paths.
 */
export function parseChangedFiles(text: string): ChangedFileDto[] {
  const parts = text.split('\0');
  const files: ChangedFileDto[] = [];
  let at = 0;
  while (parts[at]?.startsWith(':')) {
    const letter = parts[at]?.split(' ').at(-1)?.[0] ?? 'M';
    const isMoved = letter === 'R' || letter === 'C';
    const path = parts[at + (isMoved ? 2 : 1)] ?? '';
    const old_path = isMoved ? parts[at + 1] : undefined;
    files.push({
      path,
      status: STATUS[letter] ?? 'M',
      additions: 0,
      deletions: 0,
      binary: false,
      ...(old_path === undefined ? {} : { old_path }),
    });
    at += isMoved ? 3 : 2;
  }
  for (const file of files) {
    const [added = '', deleted = ''] = parts[at]?.split('\t') ?? [];
    file.binary = added === '-';
    file.additions = Number(added) || 0;
    file.deletions = Number(deleted) || 0;
    at += file.old_path === undefined ? 1 : 3;
  }
  return files;
}

/** A change of type (a file that became a link) is a change. */
const STATUS: Record<string, ChangedFileDto['status']> = { A: 'A', D: 'D', R: 'R', C: 'A' };
