import { type EntityManager } from 'typeorm';
import { violatesUnique } from '../../errors/database-errors.js';
import { systemActor } from '../auth/identity.js';
import { recordEvent } from '../tasks/tasks.facade.js';
import { MergeJob } from './merge-job.entity.js';

/** After that many a merge is not begun again, whatever ended the others. */
export const MAX_ATTEMPTS = 20;

/** A job that this process works on. */
export type ClaimedMerge = MergeJob & { fencing_token: number };

/**
 * The oldest job whose repository nobody is merging into, or one whose merger gave no sign of life. Those that wait for
 * something to be mended let others pass. What two claimers see at once is settled by the index on running jobs.
 */
const CLAIM = `
WITH pick AS MATERIALIZED (
  SELECT j.id FROM merge_jobs j
  WHERE j.completed_at IS NULL AND CASE WHEN j.status = 'running'
    THEN j.lease_expires_at <= clock_timestamp()
    ELSE coalesce(j.not_before <= clock_timestamp(), true) AND NOT EXISTS (
      SELECT FROM merge_jobs o
      WHERE o.repo_path = j.repo_path AND o.completed_at IS NULL AND (o.status = 'running'
        OR o.id < j.id AND coalesce(o.not_before <= clock_timestamp(), true)))
    END
  ORDER BY j.id LIMIT 1
  FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE merge_jobs j SET status = 'running', fencing_token = nextval('merge_fencing_token_seq'), attempts = attempts + 1,
  lease_expires_at = clock_timestamp() + make_interval(secs => $1),
  started_at = coalesce(started_at, clock_timestamp()), not_before = NULL, error = NULL
FROM pick WHERE j.id = pick.id RETURNING j.id`;

/** In the manager's transaction. @returns null when there is nothing to claim. */
export async function claimMerge(
  manager: EntityManager,
  lease_seconds: number,
): Promise<ClaimedMerge | null> {
  const [rows] = await manager.query<[{ id: number }[], number]>(CLAIM, [lease_seconds]);
  const [claimed] = rows;
  if (claimed === undefined) return null;
  const job = (await manager.findOneByOrFail(MergeJob, { id: claimed.id })) as ClaimedMerge;
  await recordEvent(manager, {
    org_id: job.org_id,
    task_id: job.task_id,
    type: 'merge.started',
    data: { job_id: job.id, repo_id: job.repo_id, attempt: job.attempts },
    actor: systemActor('merges'),
    correlation_id: job.correlation_id,
  });
  return job;
}

/** Another claimer of the same repository was faster. */
export const wasFaster = (error: unknown): boolean => violatesUnique(error, 'merge_jobs_running_key');

/** Until a lease is over or a waiting job may be tried again, in milliseconds; null when there is nothing to wait for. */
export async function untilNextMerge(manager: EntityManager): Promise<number | null> {
  const [row] = await manager.query<{ wait_ms: number | null }[]>(
    `SELECT extract(epoch FROM min(coalesce(lease_expires_at, not_before)) - clock_timestamp())::float8 * 1000 AS wait_ms
     FROM merge_jobs WHERE completed_at IS NULL AND coalesce(lease_expires_at, not_before) > clock_timestamp()`,
  );
  return row?.wait_ms ?? null;
}
