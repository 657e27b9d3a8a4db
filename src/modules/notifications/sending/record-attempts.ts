import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Metrics } from '../../../metrics/metrics.js';
import { announceFailures, type DeliveryFailure } from '../announce-failure.js';
import { OutboundRetention } from '../outbound-retention.js';
import { type DisabledReason, OutboundWebhook } from '../outbound-webhook.entity.js';
import { OutboundWebhookState } from '../outbound-webhook-state.entity.js';
import { afterCall, failingPercent } from './circuit-breaker.js';
import { type Attempt } from './send-delivery.js';
import { promoteQueued, writeAttempts, writeOutcomes, writeStates } from './write-attempts.js';

/** What the attempts of one transaction say of their receivers. */
interface Receivers {
  /** By the database's clock, which decides how long a pause lasts. */
  now: Date;
  states: Map<string, OutboundWebhookState>;
  /** Active ones. */
  active: Set<string>;
  disable: Map<string, DisabledReason>;
}

/**
 * Writes what came of attempts: the log, the deliveries, the receivers' health, all of it together. The receivers' rows
 * are locked first, in one order in every process.
 */
@Injectable()
export class RecordAttempts {
  private readonly logger = new Logger(RecordAttempts.name);

  constructor(
    private readonly db: DataSource,
    private readonly retention: OutboundRetention,
    private readonly metrics: Metrics,
  ) {}

  async record(attempts: Attempt[]): Promise<void> {
    const disabled = await this.db.transaction((manager) => this.write(manager, attempts));
    for (const { verdict, delivery } of attempts) {
      this.metrics.countOutbound(verdict.outcome);
      if (verdict.outcome === 'succeeded' && delivery.attempts === 1)
        this.metrics.observe('notify', (Date.now() - delivery.created_at.getTime()) / 1000);
    }
    for (const [webhook_id, disabled_reason] of disabled) {
      this.logger.warn({ webhook_id, disabled_reason }, 'an outbound webhook was disabled');
      await this.retention.suppress(webhook_id);
    }
  }

  private async write(manager: EntityManager, attempts: Attempt[]): Promise<Map<string, DisabledReason>> {
    const receivers = await lockReceivers(manager, [
      ...new Set(attempts.map(({ delivery }) => delivery.webhook_id)),
    ]);
    for (const attempt of attempts) this.judge(receivers, attempt);
    await this.disable(manager, receivers);
    const outcomes = await writeOutcomes(manager, attempts, receivers.active);
    await writeAttempts(manager, attempts, outcomes);
    await promoteQueued(manager, outcomes);
    await writeStates(manager, [...receivers.states.values()]);
    const failed = outcomes.filter(({ status }) => status === 'failed').map(({ attempt }) => attempt);
    for (const { delivery, verdict } of failed)
      this.logger.warn(
        {
          webhook_id: delivery.webhook_id,
          delivery_id: delivery.id,
          attempts: delivery.attempts,
          error: verdict.error,
          correlation_id: delivery.correlation_id,
        },
        'a notification failed for good',
      );
    await announceFailures(
      manager,
      failed.filter(isTold).map((attempt) => failureOf(attempt, receivers.disable)),
    );
    return receivers.disable;
  }

  /** What one attempt says of its receiver. */
  private judge(receivers: Receivers, { delivery, verdict }: Attempt): void {
    const { webhook_id } = delivery;
    const state = receivers.states.get(webhook_id);
    if (state === undefined) return;
    const { now } = receivers;
    const next = afterCall(state, verdict.call, verdict.error, now);
    const percent = failingPercent(next, now);
    if (percent > next.warned_percent) {
      next.warned_percent = percent;
      this.logger.warn(
        { webhook_id, org_id: delivery.org_id, failing_since: next.failing_since, percent },
        'an outbound webhook keeps failing; at 100 percent it is disabled',
      );
    }
    if (next.open_until !== null && next.open_until.getTime() !== state.open_until?.getTime())
      this.logger.warn(
        { webhook_id, until: next.open_until, error: verdict.error },
        'an outbound webhook is paused',
      );
    receivers.states.set(webhook_id, next);
    const reason = verdict.disable ?? (percent >= 100 ? 'failing' : null);
    if (reason !== null && receivers.active.has(webhook_id)) receivers.disable.set(webhook_id, reason);
  }

  private async disable(manager: EntityManager, { disable, active }: Receivers): Promise<void> {
    for (const [id, disabled_reason] of disable) {
      await manager.update(
        OutboundWebhook,
        { id },
        { active: false, disabled_reason, disabled_at: new Date() },
      );
      active.delete(id);
    }
  }
}

async function lockReceivers(manager: EntityManager, ids: string[]): Promise<Receivers> {
  const states = await manager
    .createQueryBuilder(OutboundWebhookState, 's')
    .where('s.webhook_id = ANY(:ids)', { ids })
    .orderBy('s.webhook_id')
    .setLock('for_no_key_update')
    .getMany();
  const [row] = await manager.query<{ now: Date; active: string[] }[]>(
    `SELECT clock_timestamp() AS now, ARRAY(SELECT id FROM outbound_webhooks WHERE id = ANY($1) AND active) AS active`,
    [ids],
  );
  if (row === undefined) throw new Error('the query for the receivers answers one row');
  return {
    now: row.now,
    states: new Map(states.map((state) => [state.webhook_id, state])),
    active: new Set(row.active),
    disable: new Map(),
  };
}

/** That telling of a failure failed is told to nobody, and what a person tried by hand its answer tells. */
const isTold = ({ delivery }: Attempt): boolean =>
  delivery.event !== 'webhook.delivery_failed' && !delivery.manual;

const failureOf = (
  { delivery, verdict }: Attempt,
  disabled: Map<string, DisabledReason>,
): DeliveryFailure => ({
  org_id: delivery.org_id,
  team_id: delivery.team_id,
  task_id: delivery.task_id,
  correlation_id: delivery.correlation_id,
  except: delivery.webhook_id,
  data: {
    direction: 'outbound',
    org_id: delivery.org_id,
    webhook_id: delivery.webhook_id,
    delivery_id: delivery.id,
    event: delivery.event,
    attempts: delivery.attempts,
    error: verdict.error,
    webhook_disabled: disabled.get(delivery.webhook_id) ?? null,
  },
});
