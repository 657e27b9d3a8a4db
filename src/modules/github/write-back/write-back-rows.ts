import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { newId } from '../../../database/new-id.js';
import { GithubWriteBack } from './github-write-back.entity.js';

export type LeasedRow = GithubWriteBack & { lease: string };

/** Longer than the work on one row may take. */
const LEASE_SECONDS = 90;

const LEASE = `
  WITH pick AS (
    SELECT w.task_id FROM github_write_backs w JOIN github_credentials c ON c.org_id = w.org_id
    WHERE w.due_at <= now() AND (w.leased_until IS NULL OR w.leased_until <= now()) AND w.org_id <> ALL($1::uuid[])
      AND (c.paused_until IS NULL OR c.paused_until <= now())
      AND NOT EXISTS (SELECT FROM github_write_backs o WHERE o.org_id = w.org_id AND o.leased_until > now())
    ORDER BY w.due_at LIMIT 1 FOR UPDATE OF w SKIP LOCKED
  )
  UPDATE github_write_backs w SET lease = $2, leased_until = now() + make_interval(secs => ${LEASE_SECONDS})
  FROM pick WHERE w.task_id = pick.task_id
  RETURNING w.*`;

const NEXT_DUE = `
  SELECT extract(epoch FROM min(GREATEST(w.due_at, c.paused_until, w.leased_until)) - clock_timestamp())::float8 * 1000 AS wait_ms
  FROM github_write_backs w JOIN github_credentials c ON c.org_id = w.org_id
  WHERE w.due_at IS NOT NULL AND w.org_id <> ALL($1::uuid[])`;

/** Rows that were made while the credentials were being saved: neither transaction saw the other. */
const UNPARK = `
  UPDATE github_write_backs SET status = 'pending', due_at = now() WHERE task_id IN (
    SELECT w.task_id FROM github_write_backs w JOIN github_credentials c ON c.org_id = w.org_id
    WHERE w.status = 'waiting' FOR UPDATE OF w SKIP LOCKED)`;

/** The rows of work, under leases: any number of processes share them, one row of an organization at a time. */
@Injectable()
export class WriteBackRows {
  constructor(private readonly db: DataSource) {}

  /** @param busy organizations that this process works for already. */
  async lease(busy: string[]): Promise<LeasedRow | null> {
    const [rows] = await this.db.query<[LeasedRow[], number]>(LEASE, [busy, newId()]);
    return rows[0] ?? null;
  }

  /** Milliseconds until the next row is due; null when none is. */
  async nextDue(busy: string[]): Promise<number | null> {
    const [row] = await this.db.query<{ wait_ms: number | null }[]>(NEXT_DUE, [busy]);
    return row?.wait_ms ?? null;
  }

  async unpark(): Promise<void> {
    await this.db.query(UNPARK);
  }

  /**
   * Keeps what a step has brought about, before the next one.
   * @throws LeaseLost when another process has the row by now.
   */
  async keep(row: LeasedRow, values: Partial<GithubWriteBack>): Promise<void> {
    const { affected } = await this.db
      .createQueryBuilder()
      .update(GithubWriteBack)
      .set(values)
      .where('task_id = :task_id AND lease = :lease', { task_id: row.task_id, lease: row.lease })
      .execute();
    if (affected === 0) throw new LeaseLost();
    Object.assign(row, values);
  }

  /** Gives the row back. What was wanted meanwhile makes it due at once. */
  async done(row: LeasedRow, end: RowEnd): Promise<void> {
    await this.db.query(
      `UPDATE github_write_backs SET lease = NULL, leased_until = NULL, updated_at = now(), failures = $4,
         status = CASE WHEN wanted > $6 AND $3 IN ('current', 'failed') THEN 'pending' ELSE $3::text END,
         last_error = $5, written = CASE WHEN $3 = 'current' THEN $6 ELSE written END,
         due_at = CASE WHEN wanted > $6 AND $3 IN ('current', 'failed') THEN now()
           WHEN $7::float8 IS NULL THEN NULL ELSE now() + make_interval(secs => $7) END
       WHERE task_id = $1 AND lease = $2`,
      [row.task_id, row.lease, end.status, end.failures, end.last_error, row.wanted, end.retry_in],
    );
  }
}

export interface RowEnd {
  status: GithubWriteBack['status'];
  failures: number;
  last_error: string | null;
  /** Seconds; null ends the work. */
  retry_in: number | null;
}

/** Another process took the row over: its lease was over. What it does is right, and this one does nothing more. */
export class LeaseLost extends Error {}
