import { Injectable, Logger } from '@nestjs/common';
import { nextAttemptDelay } from '../../../http-client/retry-schedule.js';
import { Metrics } from '../../../metrics/metrics.js';
import { GithubClients } from '../client/github-clients.js';
import { GithubError } from '../client/github-error.js';
import { CredentialStore } from '../credentials/credential-store.js';
import { assertSameHost } from './assert-same-host.js';
import { ReconcileComment } from './reconcile-comment.js';
import { Subjects } from './subject.js';
import { LeaseLost, type LeasedRow, type RowEnd, WriteBackRows } from './write-back-rows.js';

/** All calls for one row together. */
const DEADLINE_MS = 60_000;

const CURRENT: RowEnd = { status: 'current', failures: 0, last_error: null, retry_in: null };

/** The work on one row, from its lease to what is to become of it. */
@Injectable()
export class WriteBack {
  private readonly logger = new Logger(WriteBack.name);

  constructor(
    private readonly rows: WriteBackRows,
    private readonly subjects: Subjects,
    private readonly clients: GithubClients,
    private readonly store: CredentialStore,
    private readonly reconciling: ReconcileComment,
    private readonly metrics: Metrics,
  ) {}

  async perform(row: LeasedRow, stopping: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(DEADLINE_MS)]);
    let end: RowEnd;
    try {
      end = await this.write(row, signal);
    } catch (error) {
      if (error instanceof LeaseLost) return;
      end = stopping.aborted ? givenBack(row) : this.failed(row, error);
    }
    this.metrics.countWriteBack(stopping.aborted ? 'stopped' : end.status);
    await this.rows.done(row, end);
  }

  private async write(row: LeasedRow, signal: AbortSignal): Promise<RowEnd> {
    const subject = await this.subjects.load(row.task_id, row.org_id);
    if (subject === null || subject.place === null || subject.write_back === null) return CURRENT;
    const client = await this.clients.of(row.org_id);
    if (client === null) return { ...CURRENT, status: 'waiting' };
    assertSameHost(subject.host, client.base_url);
    const comment = await this.reconciling.reconcile(
      row,
      { ...subject, place: subject.place },
      client,
      signal,
    );
    if (comment !== null) await this.store.works(row.org_id, comment.author);
    return CURRENT;
  }

  private failed(row: LeasedRow, error: unknown): RowEnd {
    if (!(error instanceof GithubError))
      this.logger.warn({ err: error, task_id: row.task_id }, 'a write-back to GitHub failed');
    const { kind, message, wait_seconds } =
      error instanceof GithubError
        ? error
        : { kind: 'unavailable' as const, message: 'The service failed on it', wait_seconds: 0 };
    if (kind === 'rate_limited')
      return { status: 'paused', failures: row.failures, last_error: message, retry_in: wait_seconds };
    const failures = row.failures + 1;
    // Credentials may be repaired, and a server may recover; what GitHub refuses stays refused.
    const retry_in =
      kind === 'unauthorized' || kind === 'unavailable' ? nextAttemptDelay(failures, Math.random()) : null;
    return { status: retry_in === null ? 'failed' : 'retrying', failures, last_error: message, retry_in };
  }
}

const givenBack = ({ failures, last_error }: LeasedRow): RowEnd => ({
  status: 'pending',
  failures,
  last_error,
  retry_in: 0,
});
