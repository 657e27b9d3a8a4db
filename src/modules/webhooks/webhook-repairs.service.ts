import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type RepairReportDto } from './repair-report.dto.js';
import { type HookFacts } from './webhook.entity.js';

/** A webhook whose deliveries on GitHub can be looked at: where its hook is, and what came of the last look. */
export interface RepairableWebhook {
  id: string;
  org_id: string;
  events: string[];
  hook_facts: HookFacts & { hook_id: number };
  repair: RepairReportDto | null;
}

/** Longer than any check may take. */
const LEASE_SECONDS = 600;

/** Active hooks of a repository or an organization, as `ping` told of them; an App's own hook has no place in the API. */
const REPAIRABLE = `
  active AND provider = 'github' AND hook_facts ->> 'hook_id' IS NOT NULL
  AND (hook_facts ->> 'hook_type' = 'Repository' AND hook_facts ->> 'repository' IS NOT NULL
    OR hook_facts ->> 'hook_type' = 'Organization' AND hook_facts ->> 'organization' IS NOT NULL)`;

const LEASE = `
  WITH pick AS (
    SELECT id FROM webhooks
    WHERE org_id = ANY($1::uuid[]) AND ($2::uuid IS NULL OR id = $2) AND ${REPAIRABLE}
      AND (repair_leased_until IS NULL OR repair_leased_until <= now())
      AND (repair IS NULL OR (repair ->> 'checked_at')::timestamptz <= now() - make_interval(secs => $3))
    ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
  )
  UPDATE webhooks w SET repair_leased_until = now() + make_interval(secs => ${LEASE_SECONDS})
  FROM pick WHERE w.id = pick.id
  RETURNING w.id, w.org_id, w.events, w.hook_facts, w.repair`;

/** Which webhooks are to be checked for missed deliveries, one process at a time each, and what was found. */
@Injectable()
export class WebhookRepairs {
  constructor(private readonly db: DataSource) {}

  /**
   * Takes a webhook of these organizations (or the one named) whose last check is `min_age` seconds old.
   * @returns null when there is none, or others have it.
   */
  async lease(org_ids: string[], min_age: number, webhook_id?: string): Promise<RepairableWebhook | null> {
    const [rows] = await this.db.query<[RepairableWebhook[], number]>(LEASE, [
      org_ids,
      webhook_id ?? null,
      min_age,
    ]);
    return rows[0] ?? null;
  }

  /** Keeps the report and gives the webhook back; by the database's clock, as the next lease will judge it. */
  async report(
    webhook_id: string,
    report: Omit<RepairReportDto, 'checked_at'>,
  ): Promise<RepairReportDto | null> {
    const [rows] = await this.db.query<[{ repair: RepairReportDto }[], number]>(
      `UPDATE webhooks SET repair_leased_until = NULL,
         repair = $2::jsonb || jsonb_build_object('checked_at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
       WHERE id = $1 RETURNING repair`,
      [webhook_id, JSON.stringify(report)],
    );
    return rows[0]?.repair ?? null;
  }

  /** Gives back a webhook that was not checked after all. */
  async giveBack(webhook_id: string): Promise<void> {
    await this.db.query('UPDATE webhooks SET repair_leased_until = NULL WHERE id = $1', [webhook_id]);
  }

  /** Whether the webhook can be checked at all, the credentials aside. */
  async isRepairable(webhook_id: string): Promise<boolean> {
    const rows = await this.db.query<object[]>(`SELECT 1 FROM webhooks WHERE id = $1 AND ${REPAIRABLE}`, [
      webhook_id,
    ]);
    return rows.length > 0;
  }
}
