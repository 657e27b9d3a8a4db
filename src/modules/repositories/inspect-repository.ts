import { git, withoutCredentials } from './git.js';

export interface RepositoryFacts {
  default_branch: string | null;
  current_branch: string | null;
  is_dirty: boolean;
  remote_url: string | null;
}

/** What git says of the working tree at `path`, a real path; null where that is not the top of one. */
export async function inspectRepository(path: string): Promise<RepositoryFacts | null> {
  if ((await git(path, 'rev-parse', '--show-toplevel')) !== path) return null;
  const [current_branch, remoteHead, branches, is_dirty, remote] = await Promise.all([
    git(path, 'symbolic-ref', '--quiet', '--short', 'HEAD'),
    git(path, 'symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD'),
    git(path, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/main', 'refs/heads/master'),
    isDirty(path),
    git(path, 'config', '--get', 'remote.origin.url'),
  ]);
  return {
    default_branch: remoteHead?.replace(/^origin\//, '') ?? (branches?.split('\n')[0] || current_branch),
    current_branch,
    is_dirty,
    remote_url: remote === null ? null : withoutCredentials(remote),
  };
}

/**
 * Filters (Git LFS is one) are programs that the repository's own configuration names, and `status` would start them:
 * they are switched off by name. A file that only its filter makes clean counts as changed.
 */
async function isDirty(path: string): Promise<boolean> {
  const keys = await git(path, 'config', '--name-only', '--get-regexp', '^filter[.].*[.](clean|process)$');
  const filters = keys ? keys.split('\n') : [];
  if (filters.some((key) => key.includes('='))) return true;
  const off = filters.flatMap((key) => [
    '-c',
    `${key}=`,
    '-c',
    `${key.slice(0, key.lastIndexOf('.'))}.required=false`,
  ]);
  // A status too long or too slow to read is not that of a clean tree.
  return (await git(path, ...off, 'status', '--porcelain', '--ignore-submodules=all')) !== '';
}
