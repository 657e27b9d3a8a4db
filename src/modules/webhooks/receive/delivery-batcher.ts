import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ResolvedSettings } from '../../../config/settings.js';
import { databaseFault, isDatabaseUnavailable } from '../../../errors/database-errors.js';
import { DomainError } from '../../../errors/domain-error.js';
import { Metrics } from '../../../metrics/metrics.js';
import { DeliveryPartitions } from '../../deliveries/delivery-partitions.service.js';
import { type BatchItem, type BatchResult } from './batch-item.js';
import { ProcessBatch } from './process-batch.js';
import { unavailable } from './unavailable.js';

const MAX_ITEMS = 128;
const MAX_BYTES = 8 * 1024 * 1024;
/**
 * A delivery costs the less the more share a transaction, so whoever comes while one is under way fills the next. Once
 * as many wait as are under way a second one starts, since this process has nothing to do while the database works. One
 * that is slow, because it waits for another's lock, does not keep the rest waiting.
 */
const WORTH_A_SECOND = 8;
const SLOW_MS = 50;
const MAX_IN_FLIGHT = 3;
const MAX_WAITING_BYTES = 128 * 1024 * 1024;
const TRIES = 3;
/** serialization_failure, deadlock_detected. */
const TRY_AGAIN = new Set(['40001', '40P01']);

interface Waiting {
  item: BatchItem;
  settle: (result: BatchResult) => void;
  fail: (error: unknown) => void;
  ended: boolean;
}

/**
 * Group commit: requests that arrive while a transaction is under way share the next one. Each is answered when its
 * commit is on disk, or 503 when that takes too long; a batch that fails is split until the bad delivery is alone.
 */
@Injectable()
export class DeliveryBatcher implements OnApplicationShutdown {
  private readonly logger = new Logger(DeliveryBatcher.name);
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  private inFlight = 0;
  private slow = 0;
  /** Items in the transactions that are under way and not slow. */
  private underWay = 0;
  private scheduled = false;
  private idle: (() => void)[] = [];

  constructor(
    private readonly batch: ProcessBatch,
    private readonly partitions: DeliveryPartitions,
    private readonly metrics: Metrics,
    private readonly settings: ResolvedSettings,
  ) {
    metrics.gauge(
      'entourage_deliveries_waiting',
      'Deliveries waiting for their transaction',
      () => this.waiting.length,
    );
  }

  /**
   * Resolves when what became of the item is durable.
   * @param patience milliseconds until the caller is told 503; what has begun is finished all the same
   * @throws DomainError `service_unavailable`, `internal_error`
   */
  submit(item: BatchItem, patience: number): Promise<BatchResult> {
    const { ENTOURAGE_MAX_WAITING_DELIVERIES: max } = this.settings;
    if (this.waiting.length >= max || this.waitingBytes > MAX_WAITING_BYTES)
      return Promise.reject(unavailable());
    const done = this.metrics.time('commit');
    return new Promise((resolve, reject) => {
      const end = (work: () => void): void => {
        if (waiting.ended) return;
        waiting.ended = true;
        clearTimeout(timer);
        done();
        work();
      };
      const waiting: Waiting = {
        item,
        ended: false,
        settle: (result) => end(() => resolve(result)),
        fail: (error) => end(() => reject(error)),
      };
      const timer = setTimeout(() => waiting.fail(unavailable()), Math.max(1, patience));
      this.waiting.push(waiting);
      this.waitingBytes += item.packed.length;
      this.schedule();
    });
  }

  /** Resolves when nothing is waiting or under way. */
  settled(): Promise<void> {
    if (this.inFlight === 0 && this.waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** The server has answered every request by now; what was answered 503 may still be under way. */
  onApplicationShutdown(): Promise<void> {
    return this.settled();
  }

  /** Not at once: what the same turn of the event loop still brings comes along. */
  private schedule(): void {
    if (this.scheduled || !this.mayStart) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.start();
    });
  }

  private get mayStart(): boolean {
    if (this.inFlight >= MAX_IN_FLIGHT) return false;
    const quick = this.inFlight - this.slow;
    return quick === 0 || (quick === 1 && this.waiting.length >= Math.max(WORTH_A_SECOND, this.underWay));
  }

  private start(): void {
    if (!this.mayStart) return;
    const taken: Waiting[] = [];
    let bytes = 0;
    while (taken.length < MAX_ITEMS && bytes < MAX_BYTES) {
      const next = this.waiting.shift();
      if (next === undefined) break;
      this.waitingBytes -= next.item.packed.length;
      if (next.ended) continue;
      bytes += next.item.packed.length;
      taken.push(next);
    }
    if (taken.length > 0) {
      void this.runTimed(taken);
    } else if (this.inFlight === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private async runTimed(taken: Waiting[]): Promise<void> {
    let isSlow = false;
    this.inFlight += 1;
    this.underWay += taken.length;
    const timer = setTimeout(() => {
      isSlow = true;
      this.slow += 1;
      this.underWay -= taken.length;
      this.start();
    }, SLOW_MS);
    try {
      await this.run(await this.runQuiet(taken));
    } finally {
      clearTimeout(timer);
      this.inFlight -= 1;
      if (isSlow) this.slow -= 1;
      else this.underWay -= taken.length;
      this.start();
    }
  }

  /** @returns what is left to be processed in a transaction. */
  private async runQuiet(taken: Waiting[]): Promise<Waiting[]> {
    try {
      const results = await this.batch.recordQuiet(taken.map(({ item }) => item));
      return taken.filter((waiting) => {
        const result = results.get(waiting.item);
        if (result !== undefined) waiting.settle(result);
        return result === undefined;
      });
    } catch (error) {
      // Nothing of it was written; what is wrong shows again in the transaction, which knows how to go on.
      if (!isDatabaseUnavailable(error)) return taken;
      this.giveUp(taken, error);
      return [];
    }
  }

  private giveUp(taken: Waiting[], error: unknown): void {
    this.logger.warn({ err: error, deliveries: taken.length }, 'deliveries could not be stored');
    for (const waiting of taken) waiting.fail(unavailable());
  }

  private async run(taken: Waiting[]): Promise<void> {
    if (taken.length === 0) return;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const results = await this.batch.process(taken.map(({ item }) => item));
        for (const [index, waiting] of taken.entries()) {
          const result = results[index];
          if (result === undefined) waiting.fail(new Error('a batch gave fewer results than it had items'));
          else waiting.settle(result);
        }
        return;
      } catch (error) {
        if (isDatabaseUnavailable(error)) return this.giveUp(taken, error);
        if (attempt >= TRIES || !(await this.mayTryAgain(error, taken))) return this.split(taken, error);
      }
    }
  }

  private async mayTryAgain(error: unknown, taken: Waiting[]): Promise<boolean> {
    const fault = databaseFault(error);
    if (fault?.code !== undefined && TRY_AGAIN.has(fault.code)) return true;
    if (fault?.code !== '23514' || !fault.message.includes('no partition of relation')) return false;
    try {
      for (const { item } of taken) await this.partitions.ensure(item.received.created_at, 1);
      return true;
    } catch (failure) {
      this.logger.error({ err: failure }, 'no partition for deliveries could be made');
      return false;
    }
  }

  private async split(taken: Waiting[], error: unknown): Promise<void> {
    const [first] = taken;
    if (first === undefined) return;
    if (taken.length > 1) {
      const half = Math.ceil(taken.length / 2);
      await this.run(taken.slice(0, half));
      await this.run(taken.slice(half));
      return;
    }
    this.logger.error(
      { err: error, delivery_id: first.item.received.delivery_id },
      'a delivery could not be processed',
    );
    try {
      await this.batch.recordFailure(first.item, error);
      first.fail(new DomainError('internal_error', 'Internal Server Error'));
    } catch (failure) {
      this.logger.error({ err: failure }, 'a failed delivery could not be recorded');
      first.fail(
        isDatabaseUnavailable(failure)
          ? unavailable()
          : new DomainError('internal_error', 'Internal Server Error'),
      );
    }
  }
}
