import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../../config/settings.js';
import { OUTBOUND_CHANNEL } from '../../../database/channels.js';
import { NotificationListener } from '../../../database/notification-listener.js';
import { drain, WorkLoop } from '../../../database/work-loop.js';
import { AttemptWriter } from './attempt-writer.js';
import { type ClaimedDelivery, claimDeliveries, type Receiver, untilNextDue } from './claim-deliveries.js';
import { SendDelivery } from './send-delivery.js';

const ATTEMPT_MS = 15_000;

/**
 * Sends what is in the outbox. Woken by NOTIFY, by each answer and when the next delivery is due; every few seconds it
 * looks anyway. Any number may run side by side: the claim decides.
 */
@Injectable()
export class Notifier implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Notifier.name);
  private readonly sending = new Set<Promise<void>>();
  private readonly stopped = new AbortController();
  private readonly loop: WorkLoop;
  /** Milliseconds until a receiver's rate allows another call, as the last claim found. */
  private rate_wait_ms: number | null = null;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    listener: NotificationListener,
    private readonly sender: SendDelivery,
    private readonly writer: AttemptWriter,
  ) {
    this.loop = new WorkLoop(listener, {
      channel: OUTBOUND_CHANNEL,
      poll_seconds: settings.ENTOURAGE_POLL_SECONDS,
      hasRoom: () => this.room > 0,
      look: () => this.look(),
      untilNext: () => this.untilNext(),
      failed: (error) =>
        this.logger.warn({ err: error }, 'looking for notifications to send failed; the next look is soon'),
    });
  }

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('notifier')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    this.loop.start();
  }

  /** Claims no more, lets what is under way end within the grace, and gives back what has not. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await drain(this.sending, (this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000) / 2, this.stopped);
  }

  private get room(): number {
    return this.settings.ENTOURAGE_MAX_CONCURRENT_NOTIFICATIONS - this.sending.size;
  }

  private async look(): Promise<void> {
    const claim = await claimDeliveries(this.db, this.room, this.settings.ENTOURAGE_NOTIFY_LEASE_SECONDS);
    for (const delivery of claim.deliveries) {
      const receiver = claim.receivers.get(delivery.webhook_id);
      if (receiver !== undefined) this.send(delivery, receiver);
    }
    this.rate_wait_ms = claim.wait_ms;
    if (claim.more) this.loop.wake();
  }

  private async untilNext(): Promise<number | null> {
    const waits = [this.rate_wait_ms, await untilNextDue(this.db)].filter((wait_ms) => wait_ms !== null);
    this.rate_wait_ms = null;
    return waits.length === 0 ? null : Math.min(...waits);
  }

  private send(delivery: ClaimedDelivery, receiver: Receiver): void {
    const work = this.carry(delivery, receiver)
      .catch((error: unknown) =>
        this.logger.error({ err: error, delivery_id: delivery.id }, 'a notification could not be sent'),
      )
      .finally(() => {
        this.sending.delete(work);
        this.loop.wake();
      });
    this.sending.add(work);
  }

  private async carry(delivery: ClaimedDelivery, receiver: Receiver): Promise<void> {
    const lease_ms = this.settings.ENTOURAGE_NOTIFY_LEASE_SECONDS * 1000;
    // Ended well before the lease is, so that nobody else sends it meanwhile.
    const timeout_ms = Math.min(ATTEMPT_MS, lease_ms * 0.8);
    const { signal } = this.stopped;
    try {
      await this.writer.write(await this.sender.send(delivery, receiver, { timeout_ms, signal }), lease_ms);
    } catch (error) {
      if (!signal.aborted) throw error;
      await this.giveBack(delivery);
    }
  }

  /** An attempt that the shutdown cut short counts as lost, and the next one is made at once. */
  private async giveBack(delivery: ClaimedDelivery): Promise<void> {
    await this.db.query(
      'UPDATE outbound_deliveries SET due_at = clock_timestamp() WHERE position = $1 AND claim_id = $2',
      [delivery.position, delivery.claim_id],
    );
  }
}
