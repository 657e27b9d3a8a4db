import { git } from './git.js';

export interface RepositoryFacts {
  default_branch: string | null;
  current_branch: string | null;
  is_dirty: boolean;
  remote_url: string | null;
}

/** What git says of the working tree at `path`, a real path; null where that is not the top of one. */
export async function inspectRepository(path: string): Promise<RepositoryFacts | null> {
  if ((await git(path, 'rev-parse', '--show-toplevel')) !== path) return null;
  const [current_branch, remoteHead, branches, status, remote] = await Promise.all([
    git(path, 'symbolic-ref', '--quiet', '--short', 'HEAD'),
    git(path, 'symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD'),
    git(path, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/main', 'refs/heads/master'),
    git(path, 'status', '--porcelain', '--ignore-submodules=all'),
    git(path, 'config', '--get', 'remote.origin.url'),
  ]);
  return {
    default_branch: remoteHead?.replace(/^origin\//, '') ?? (branches?.split('\n')[0] || current_branch),
    current_branch,
    // A status too long or too slow to read is not that of a clean tree.
    is_dirty: status !== '',
    remote_url: remote === null ? null : withoutCredentials(remote),
  };
}

/** `https://token@host/…` → `https://host/…` */
const withoutCredentials = (url: string): string => url.replace(/^([a-z][a-z+]*:\/\/)[^/]*@/i, '$1');
