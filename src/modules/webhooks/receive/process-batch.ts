import { Injectable } from '@nestjs/common';
import { DataSource, type QueryRunner } from 'typeorm';
import { prepared, type PreparedStatement } from '../../../database/prepared.js';
import { DomainError } from '../../../errors/domain-error.js';
import { unpackBody } from '../../deliveries/body-codec.facade.js';
import { DeliveryRecords } from '../../deliveries/delivery-records.service.js';
import { TaskIntake } from '../../tasks/tasks.facade.js';
import { type SourceChange } from '../../tasks/source-change.js';
import { type HookFacts } from '../webhook.entity.js';
import {
  type BatchItem,
  type BatchResult,
  noSuchWebhook,
  notSigned,
  type Placed,
  type Standing,
} from './batch-item.js';
import { judgeDelivery } from './judge-delivery.js';
import { onConnection } from './on-connection.js';
import { claimOf, placeItems } from './place-items.js';
import { failedRecord, newRecord, outcomeOf, recordOf, resultOf } from './record-of.js';
import { refusalOf } from './refusal-of.js';
import { isValid, verifySignature } from './verify-signature.js';
import { isOutdated, WEBHOOK_COLUMNS, WebhookCache, type WebhookRow } from './webhook-cache.js';

/** Long past the moment when every sender of the batch has been answered 503. */
const CUT_AFTER_MS = 5_000;

const CURRENT: PreparedStatement = {
  name: 'webhooks-current',
  text: `SELECT ${WEBHOOK_COLUMNS} FROM webhooks WHERE id = ANY (ARRAY(SELECT unnest($1::uuid[])))`,
};

/** Records a batch of requests and lets them have their effect, in one transaction. */
@Injectable()
export class ProcessBatch {
  constructor(
    private readonly db: DataSource,
    private readonly webhooks: WebhookCache,
    private readonly records: DeliveryRecords,
    private readonly intake: TaskIntake,
  ) {}

  /**
   * Records deliveries without effect in one statement instead of a transaction, where their keys are free and their
   * webhooks are as they were. Most of what GitHub sends is of this kind.
   * @returns the result of each that is recorded now; each other one is to be processed.
   */
  async recordQuiet(items: BatchItem[]): Promise<Map<BatchItem, BatchResult>> {
    if (!items.every(isQuiet)) return new Map();
    const placed = items.map((item): Placed => ({ item, standing: { kind: 'new' }, outcome: null }));
    const written = await onConnection(this.db, CUT_AFTER_MS, (runner) =>
      this.records.insertNew(
        runner,
        placed.map((one) => ({
          row: newRecord(one),
          claim: claimOf(one.item),
          seen: one.item.received.webhook,
        })),
      ),
    );
    return new Map(
      placed
        .filter(({ item }) => written.has(item.received.delivery_id))
        .map((one) => [one.item, resultOf(one, new Map())]),
    );
  }

  async process(items: BatchItem[]): Promise<BatchResult[]> {
    return onConnection(this.db, CUT_AFTER_MS, (runner) => this.processOn(runner, items));
  }

  private async processOn(runner: QueryRunner, items: BatchItem[]): Promise<BatchResult[]> {
    try {
      await runner.startTransaction();
      const placed = await this.place(runner, items, await this.asTheyAre(runner, items));
      const byItem = new Map(placed.map((one) => [one.item, one]));
      await this.haveEffect(runner, placed);
      await this.recordAgain(runner, placed);
      await this.keepFacts(runner, items);
      await this.records.insert(
        runner,
        placed.flatMap((one) => recordOf(one, byItem) ?? []),
      );
      await runner.commitTransaction();
      return placed.map((one) => resultOf(one, byItem));
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    }
  }

  private async place(runner: QueryRunner, items: BatchItem[], webhooks: WebhookRow[]): Promise<Placed[]> {
    const refused = await this.refresh(webhooks, items);
    const fresh = items.filter((item) => item.purpose === 'receive' && !refused.has(item));
    const standings = await placeItems(runner, this.records, fresh);
    const replays = items.filter((item) => item.purpose === 'replay' && !refused.has(item));
    const recorded = await this.records.lock(
      runner,
      replays.map((item) => item.received.delivery_id),
    );
    const seen = new Set<string>();
    return items.map((item): Placed => {
      const failure = refused.get(item);
      const again = recorded.get(item.received.delivery_id);
      const standing: Standing =
        failure !== undefined
          ? { kind: 'refused', failure }
          : item.purpose === 'replay'
            ? {
                kind: 'again',
                delivery_id: item.received.delivery_id,
                correlation_id: again?.correlation_id ?? item.received.correlation_id,
                // Replayed twice in one batch: what the first of them did stays on record.
                processed: again?.status === 'processed' || seen.has(item.received.delivery_id),
              }
            : (standings.get(item) ?? { kind: 'refused', failure: notSigned() });
      if (item.purpose === 'replay') seen.add(item.received.delivery_id);
      return { item, standing, outcome: null };
    });
  }

  /** Records a delivery that could not be processed, so that it is known and can be sent or replayed again. */
  async recordFailure(item: BatchItem, error: unknown): Promise<void> {
    if (item.purpose === 'replay' || item.judgement === null) return;
    await onConnection(this.db, CUT_AFTER_MS, async (runner) => {
      try {
        await runner.startTransaction();
        const standing = (await placeItems(runner, this.records, [item])).get(item);
        if (standing?.kind === 'new') await this.records.insert(runner, [failedRecord(item, error)]);
        else if (standing?.kind === 'again') await this.records.countAttempts(runner, [standing.delivery_id]);
        await runner.commitTransaction();
      } catch (failure) {
        if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
        throw failure;
      }
    });
  }

  private async asTheyAre(runner: QueryRunner, items: BatchItem[]): Promise<WebhookRow[]> {
    return prepared<WebhookRow>(runner, CURRENT, [
      [...new Set(items.map((item) => item.received.webhook.id))],
    ]);
  }

  /**
   * Judges anew what was judged with a webhook that has changed since: a secret that was replaced stops at once, in
   * every process.
   * @returns what is refused for it.
   */
  private async refresh(rows: WebhookRow[], items: BatchItem[]): Promise<Map<BatchItem, DomainError>> {
    const refused = new Map<BatchItem, DomainError>();
    const fresh = new Map(rows.map((row) => [row.id, row]));
    for (const item of items) {
      if (item.purpose === 'refusal') {
        refused.set(item, notSigned());
        continue;
      }
      const row = fresh.get(item.received.webhook.id);
      if (row === undefined) {
        this.webhooks.forget(item.received.webhook.id);
        refused.set(item, noSuchWebhook());
      } else if (isOutdated(item.received.webhook, row)) {
        const refusal = await this.judgeAnew(item, row);
        if (refusal !== null) refused.set(item, refusal);
      }
    }
    return refused;
  }

  private async judgeAnew(item: BatchItem, row: WebhookRow): Promise<DomainError | null> {
    const { received } = item;
    received.webhook = this.webhooks.remember(row);
    const body = await unpackBody(item.packed);
    if (item.purpose === 'receive') {
      const { sha256, sha1 } = received.signature;
      received.verdict = verifySignature(received.webhook, body, sha256, sha1, received.created_at.getTime());
      const { verdict } = received;
      if (verdict !== 'valid' && verdict !== 'valid_previous') {
        item.refused = refusalOf(received, verdict, body);
        return notSigned();
      }
    }
    item.judgement = judgeDelivery(received, body);
    return null;
  }

  private async haveEffect(runner: QueryRunner, placed: Placed[]): Promise<void> {
    const acting = placed.flatMap((one): { one: Placed; change: SourceChange }[] => {
      const change = one.item.judgement?.change ?? null;
      if (change === null) return [];
      if (one.standing.kind === 'new') return [{ one, change }];
      if (one.standing.kind !== 'again') return [];
      const { delivery_id, correlation_id } = one.standing;
      return [{ one, change: { ...change, delivery_id, correlation_id } }];
    });
    if (acting.length === 0) return;
    const outcomes = await this.intake.apply(
      runner,
      acting.map(({ change }) => change),
    );
    for (const [index, { one }] of acting.entries()) one.outcome = outcomes[index] ?? null;
  }

  /** What came before and came again: counted, and where it was tried again its outcome is written. */
  private async recordAgain(runner: QueryRunner, placed: Placed[]): Promise<void> {
    const again = placed.flatMap((one) =>
      one.standing.kind === 'again' ? [{ one, standing: one.standing }] : [],
    );
    const withoutNews = again.filter(
      ({ one, standing }) => standing.processed && (one.outcome?.actions.length ?? 0) === 0,
    );
    await this.records.tryAgain(
      runner,
      again.filter((entry) => !withoutNews.includes(entry)).map(({ one }) => outcomeOf(one)),
    );
    await this.records.countAttempts(
      runner,
      withoutNews.map(({ standing }) => standing.delivery_id),
    );
    const counts = new Map<string, { webhook_id: string; guid: string; times: number }>();
    for (const { item, standing } of placed) {
      if (standing.kind !== 'duplicate' && standing.kind !== 'twin') continue;
      const { id: webhook_id } = item.received.webhook;
      const guid = item.judgement?.guid ?? '';
      const count = counts.get(`${webhook_id} ${guid}`) ?? { webhook_id, guid, times: 0 };
      counts.set(`${webhook_id} ${guid}`, { ...count, times: count.times + 1 });
    }
    await this.records.countDuplicates(runner, [...counts.values()]);
  }

  private async keepFacts(runner: QueryRunner, items: BatchItem[]): Promise<void> {
    const facts = new Map<string, HookFacts>();
    for (const { received, judgement } of items)
      if (judgement?.facts && isValid(received.verdict)) facts.set(received.webhook.id, judgement.facts);
    // In one order, as every statement of this transaction that locks rows others lock too.
    for (const [id, value] of [...facts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      await runner.query('UPDATE webhooks SET hook_facts = $2 WHERE id = $1', [id, JSON.stringify(value)]);
      // The next delivery sees the facts, and does not write them again.
      this.webhooks.forget(id);
    }
  }
}

/** Neither changes anything nor has failed. */
const isQuiet = ({ purpose, judgement }: BatchItem): boolean =>
  purpose === 'receive' &&
  judgement !== null &&
  judgement.failure === null &&
  judgement.change === null &&
  judgement.facts === null;
