import { type GitRepository, runGit, saidByGit } from '../repositories/git.facade.js';
import { type ClaimedMerge } from './claim-merge.js';
import { MergePostponed } from './merge-outcome.js';
import { IDENTITY } from './workshop.js';

/** Holds the fencing token of whoever merges into the repository. */
const FENCE = 'refs/entourage/merges';
const LOCK_MS = 10_000;

/** From here on git refuses every merger before this one. @returns what `advance` asks git to compare. */
export async function raiseFence(git: GitRepository, job: ClaimedMerge): Promise<string> {
  const content = `merge job ${job.id}, token ${job.fencing_token}\n`;
  const token = (await git.read(['hash-object', '-w', '--stdin'], { input: content }))
    .toString('latin1')
    .trim();
  await git.run(['update-ref', FENCE, token], { env: IDENTITY });
  return token;
}

/**
 * Moves the default branch, if it is still where the merge began and nobody else has the repository: both are compared
 * and the branch is moved in one transaction of git's.
 * @returns false when it was not: start over.
 * @throws MergePostponed when git cannot, though it might.
 */
export async function advance(
  git: GitRepository,
  job: ClaimedMerge,
  { token, onto, commit }: { token: string; onto: string; commit: string },
): Promise<boolean> {
  const branch = `refs/heads/${git.default_branch}`;
  const input = `verify ${FENCE} ${token}\nupdate ${branch} ${commit} ${onto}\n`;
  const message = `entourage: merge job ${job.id} of task ${job.task_id}`;
  const args = ['-c', `core.filesRefLockTimeout=${LOCK_MS}`, 'update-ref', '-m', message, '--stdin'];
  const { code, stderr } = await runGit(git.path, args, { env: IDENTITY, input, timeout_ms: 3 * LOCK_MS });
  if (code === 0 || (await git.tipOf(git.default_branch)) === commit) return true;
  const isSame = (await git.tipOf(git.default_branch)) === onto;
  const fence = await git.run(['rev-parse', '--verify', FENCE]).catch(() => '');
  if (isSame && fence === token)
    throw new MergePostponed(`The default branch could not be moved: ${saidByGit(stderr)}`);
  return false;
}
