import { Injectable, Logger } from '@nestjs/common';
import { Metrics } from '../../../metrics/metrics.js';
import { DeliveryLog } from '../../deliveries/delivery-log.service.js';
import { type RepairReportDto } from '../../webhooks/repair-report.dto.js';
import { type RepairableWebhook, WebhookRepairs } from '../../webhooks/webhook-repairs.service.js';
import { listensTo } from '../../webhooks/webhooks.facade.js';
import { type GithubClient } from '../client/create-client.js';
import { GithubClients } from '../client/github-clients.js';
import { GithubError } from '../client/github-error.js';
import { HookDeliveries } from './hook-deliveries.js';
import { type Gaps, judgeGaps } from './judge-gaps.js';

/** GitHub keeps deliveries, and can repeat them, for three days. */
const REACH_MS = 3 * 86_400_000;
const OVERLAP_MS = 3_600_000;
const MAX_REQUESTS = 50;
const DEADLINE_MS = 300_000;

type Report = Omit<RepairReportDto, 'checked_at'>;

/** Compares what GitHub sent with what arrived, and asks for what is missing. The webhook is leased to this process. */
@Injectable()
export class CheckWebhook {
  private readonly logger = new Logger(CheckWebhook.name);

  constructor(
    private readonly clients: GithubClients,
    private readonly log: DeliveryLog,
    private readonly repairs: WebhookRepairs,
    private readonly metrics: Metrics,
  ) {}

  /** @returns what was found; null when nothing was done: the process stops, or the credentials are gone. */
  async check(webhook: RepairableWebhook, stopping: AbortSignal): Promise<RepairReportDto | null> {
    const settled = webhook.repair?.settled_until ?? null;
    const report: Report = { ...EMPTY, settled_until: settled };
    try {
      const client = await this.clients.of(webhook.org_id);
      if (client === null) {
        await this.repairs.giveBack(webhook.id);
        return null;
      }
      const signal = AbortSignal.any([stopping, AbortSignal.timeout(DEADLINE_MS)]);
      await this.compare(webhook, client, report, signal);
    } catch (error) {
      if (stopping.aborted) {
        await this.repairs.giveBack(webhook.id);
        return null;
      }
      report.error = error instanceof GithubError ? error.message : 'The service failed on it';
      if (!(error instanceof GithubError))
        this.logger.warn({ err: error, webhook_id: webhook.id }, 'a check for missed deliveries failed');
    }
    this.metrics.countRepair(report.error === null ? 'ok' : 'failed', report.requested);
    return this.repairs.report(webhook.id, report);
  }

  private async compare(
    { id, events, hook_facts, repair }: RepairableWebhook,
    client: GithubClient,
    report: Report,
    signal: AbortSignal,
  ): Promise<void> {
    const begun = Date.now();
    const settled = Date.parse(repair?.settled_until ?? '') || 0;
    const since = new Date(Math.max(begun - REACH_MS, settled - OVERLAP_MS));
    const deliveries = new HookDeliveries(client.octokit, hook_facts, signal);
    const { attempts, truncated } = await deliveries.list(since);
    Object.assign(report, { listed: attempts.length, truncated });
    const log = await this.log.outcomes(id, [...new Set(attempts.map(({ guid }) => guid))]);
    const gaps = judgeGaps(attempts, log, (type) => listensTo(events, type));
    const { missing, failed, given_up } = gaps;
    Object.assign(report, { missing, failed, given_up });
    for (const attempt of gaps.redeliver) {
      if (report.requested >= MAX_REQUESTS || deliveries.isLow) {
        report.truncated = true;
        break;
      }
      await deliveries.redeliver(attempt.id);
      report.requested += 1;
    }
    if (!truncated) report.settled_until = settledUntil(begun, gaps, attempts).toISOString();
  }
}

/** What is still open keeps its first attempt, and so all its redeliveries, within reach of the next check. */
function settledUntil(
  begun: number,
  { redeliver }: Gaps,
  attempts: { guid: string; delivered_at: Date }[],
): Date {
  const open = new Set(redeliver.map(({ guid }) => guid));
  const times = attempts
    .filter(({ guid }) => open.has(guid))
    .map(({ delivered_at }) => delivered_at.getTime());
  return new Date(Math.min(begun, ...times));
}

const EMPTY: Report = {
  listed: 0,
  missing: 0,
  failed: 0,
  requested: 0,
  given_up: 0,
  truncated: false,
  error: null,
  settled_until: null,
};
