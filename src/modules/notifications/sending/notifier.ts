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
import { AttemptWriter } from './attempt-writer.js';
import { type ClaimedDelivery, claimDeliveries, type Receiver, untilNextDue } from './claim-deliveries.js';
import { SendDelivery } from './send-delivery.js';

const ATTEMPT_MS = 15_000;
const MAX_TIMER_MS = 3_600_000;

/**
 * Sends what is in the outbox. Woken by NOTIFY, by each answer and when the next delivery is due; every few seconds it
 * looks anyway. Any number may run side by side: the claim decides.
 */
@Injectable()
export class Notifier implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Notifier.name);
  private readonly sending = new Set<Promise<void>>();
  private readonly stopped = new AbortController();
  private running = false;
  private wanted = false;
  private looking: Promise<void> | null = null;
  private unsubscribe: (() => void) | undefined;
  private poll: NodeJS.Timeout | undefined;
  private next: NodeJS.Timeout | undefined;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
    private readonly sender: SendDelivery,
    private readonly writer: AttemptWriter,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('notifier')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    const wake = (): void => this.wake();
    this.unsubscribe = this.listener.subscribe(OUTBOUND_CHANNEL, { notified: wake, connected: wake });
    this.poll = setInterval(wake, this.settings.ENTOURAGE_POLL_SECONDS * 1000);
    this.wake();
  }

  /** Claims no more, lets what is under way end within the grace, and gives back what has not. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    this.unsubscribe?.();
    clearInterval(this.poll);
    clearTimeout(this.next);
    await this.looking;
    const grace = setTimeout(
      () => this.stopped.abort(),
      (this.settings.ENTOURAGE_SHUTDOWN_GRACE_SECONDS * 1000) / 2,
    );
    await Promise.allSettled(this.sending);
    clearTimeout(grace);
  }

  private wake(): void {
    this.wanted = true;
    if (!this.running || this.looking !== null) return;
    this.looking = this.look()
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'looking for notifications to send failed; the next look is soon'),
      )
      .finally(() => {
        this.looking = null;
        // What came in after the last claim.
        if (this.wanted && this.hasRoom) this.wake();
      });
  }

  private get room(): number {
    return this.settings.ENTOURAGE_MAX_CONCURRENT_NOTIFICATIONS - this.sending.size;
  }

  private get hasRoom(): boolean {
    return this.running && this.room > 0;
  }

  private async look(): Promise<void> {
    let wait_ms: number | null = null;
    while (this.wanted && this.hasRoom) {
      this.wanted = false;
      const claim = await claimDeliveries(this.db, this.room, this.settings.ENTOURAGE_NOTIFY_LEASE_SECONDS);
      for (const delivery of claim.deliveries) {
        const receiver = claim.receivers.get(delivery.webhook_id);
        if (receiver !== undefined) this.send(delivery, receiver);
      }
      wait_ms = claim.wait_ms;
      if (claim.more) this.wanted = true;
    }
    const due_ms = await untilNextDue(this.db);
    this.plan(Math.min(wait_ms ?? MAX_TIMER_MS, due_ms ?? MAX_TIMER_MS, MAX_TIMER_MS));
  }

  /** Looks again at the moment the next delivery is due, or a receiver's rate allows another call. */
  private plan(wait_ms: number): void {
    clearTimeout(this.next);
    if (this.running) this.next = setTimeout(() => this.wake(), wait_ms + 1);
  }

  private send(delivery: ClaimedDelivery, receiver: Receiver): void {
    const work = this.carry(delivery, receiver)
      .catch((error: unknown) =>
        this.logger.error({ err: error, delivery_id: delivery.id }, 'a notification could not be sent'),
      )
      .finally(() => {
        this.sending.delete(work);
        this.wake();
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
