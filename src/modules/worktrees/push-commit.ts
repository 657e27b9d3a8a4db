import { isAbsolute, join } from 'node:path';
import { DomainError } from '../../errors/domain-error.js';
import { type GitRepositories, type GitRepository, saidByGit } from '../repositories/git.facade.js';

export interface Push {
  remote: string;
  org_id: string;
  commit: string;
  branch: string;
  /** Replaces what was last pushed there, and nothing else. */
  force: boolean;
  signal?: AbortSignal;
}

const PUSH_MS = 120_000;
const ARGS = ['push', '--porcelain', '--no-verify', '--no-follow-tags', '--recurse-submodules=no'];

/**
 * The other end of a push on this disk: a repository that anybody may have made, so nothing is started there that its hooks
 * or its configuration name.
 */
const RECEIVE_PACK = `git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true \
-c receive.denyCurrentBranch=refuse -c receive.autogc=false -c 'safe.directory=*' receive-pack`;

/**
 * Pushes one commit as one branch. Of the repository's configuration only the remote's URL counts; credentials are those
 * in it, or of the operator's own git and ssh.
 * @throws DomainError `git_failed`, `push_rejected`, `git_remote_failed`
 */
export async function pushCommit(git: GitRepository, disk: GitRepositories, push: Push): Promise<void> {
  const { remote, commit, branch } = push;
  const target = await targetOf(git, disk, push);
  const tracking = `refs/remotes/${remote}/${branch}`;
  const lease = push.force
    ? [`--force-with-lease=refs/heads/${branch}:${(await git.commitAt(tracking)) ?? ''}`]
    : [];
  const receive = target.isLocal ? [`--receive-pack=${RECEIVE_PACK}`] : [];
  const args = [...ARGS, ...lease, ...receive, '--', target.url, `${commit}:refs/heads/${branch}`];
  const env = {
    HOME: process.env['HOME'],
    SSH_AUTH_SOCK: process.env['SSH_AUTH_SOCK'],
    GIT_CONFIG_GLOBAL: undefined,
    GIT_CONFIG_NOSYSTEM: undefined,
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=10',
    GIT_ALLOW_PROTOCOL: target.isLocal ? 'file' : 'https:ssh',
  };
  const result = await git.onObjects(args, { env, timeout_ms: PUSH_MS, signal: push.signal });
  if (result.code !== 0) {
    const rejected = /^!\t[^\t]*\t(.+)$/m.exec(result.stdout.toString('utf8'))?.[1];
    if (rejected !== undefined && !result.timed_out)
      throw new DomainError('push_rejected', `The remote did not take the branch: ${saidByGit(rejected)}`);
    throw new DomainError(
      'git_remote_failed',
      result.timed_out ? 'The remote took too long' : saidByGit(result.stderr),
    );
  }
  // As git itself does when it pushes to a remote by its name; the next lease is measured by it.
  await git.run(['update-ref', '--no-deref', tracking, commit]);
}

async function targetOf(
  git: GitRepository,
  disk: GitRepositories,
  { remote, org_id }: Push,
): Promise<{ url: string; isLocal: boolean }> {
  const url = await remoteUrl(git, remote);
  if (url === null) throw new DomainError('git_failed', `The repository has no remote '${remote}'`);
  if (/^(https|ssh):\/\/[^-]/i.test(url)) return { url, isLocal: false };
  // user@host:path, which a path that begins with a slash or a dot is not.
  if (/^[\w.-]+@[\w][\w.-]*:(?!:)/.test(url)) return { url, isLocal: false };
  const given = url.replace(/^file:\/\//, '');
  const path = /^[a-z][a-z0-9+.-]*:/i.test(given)
    ? null
    : await disk.localRemote(isAbsolute(given) ? given : join(git.path, given), org_id);
  if (path === null)
    throw new DomainError(
      'git_failed',
      `The remote '${remote}' is neither reached by https or ssh nor a repository under ENTOURAGE_REPOS_DIR`,
    );
  return { url: path, isLocal: true };
}

/** Where a push to the remote goes; null when there is no such remote. @param remote a harmless name */
export const remoteUrl = async (git: GitRepository, remote: string): Promise<string | null> =>
  (await configured(git, `remote.${remote}.pushurl`)) ?? configured(git, `remote.${remote}.url`);

async function configured(git: GitRepository, key: string): Promise<string | null> {
  const text = await git.run(['config', '--get-all', key]).catch(() => '');
  return text.split('\n')[0] || null;
}
