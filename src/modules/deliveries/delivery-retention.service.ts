import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { DeliveryPartitions, weekStart } from './delivery-partitions.service.js';

const DAY_MS = 24 * 3600 * 1000;
const WEEKS_AHEAD = 5;
const KEYS_AT_ONCE = 5_000;

/** Makes the partitions of the coming weeks at start and daily, and lets go of what is past its retention. */
@Injectable()
export class DeliveryRetention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(DeliveryRetention.name);
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly partitions: DeliveryPartitions,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.prepare();
    this.running = this.clean();
    this.timer = setInterval(() => {
      this.running = this.running.then(() => this.prepareAndClean());
    }, DAY_MS);
    this.timer.unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** Partitions for now and the coming weeks: the receiver need not make one while a delivery waits. */
  prepare(now = new Date()): Promise<void> {
    return this.partitions.ensure(now, WEEKS_AHEAD);
  }

  /**
   * Drops partitions wholly past their retention, and the keys of their deliveries. By the database's clock: one machine
   * whose own is wrong by months must not drop what all of them have received.
   */
  async dropExpired(): Promise<void> {
    const [row] = await this.db.query<{ cutoff: Date }[]>(
      'SELECT now() - make_interval(days => $1) AS cutoff',
      [this.settings.ENTOURAGE_DELIVERY_RETENTION_DAYS],
    );
    if (row === undefined) throw new Error('the query for a moment answers one row');
    const { cutoff } = row;
    const dropped = await this.partitions.dropBefore(cutoff);
    if (dropped === null) return;
    if (dropped.length > 0) this.logger.log({ dropped }, 'dropped deliveries past their retention');
    let deleted = KEYS_AT_ONCE;
    while (deleted === KEYS_AT_ONCE && !this.stopping)
      [, deleted = 0] = await this.db.query<[unknown[], number]>(
        `DELETE FROM delivery_keys WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM delivery_keys WHERE created_at < $1 LIMIT ${KEYS_AT_ONCE}))`,
        [weekStart(cutoff)],
      );
  }

  private async prepareAndClean(): Promise<void> {
    if (this.stopping) return;
    await this.prepare().catch((error: unknown) =>
      this.logger.error({ err: error }, 'the partitions of the coming weeks could not be made'),
    );
    await this.clean();
  }

  private clean(): Promise<void> {
    return this.dropExpired().catch((error: unknown) =>
      this.logger.error({ err: error }, 'deliveries past their retention could not be dropped'),
    );
  }
}
