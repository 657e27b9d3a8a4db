import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { HUMAN_REQUESTS_CHANNEL } from '../../database/channels.js';
import { NotificationListener } from '../../database/notification-listener.js';
import { systemActor } from '../auth/identity.js';
import { Messages } from '../tasks/tasks.facade.js';
import { type HumanRequest } from './human-request.entity.js';
import { recordRequest, tellAsker } from './record-request.js';

const AT_ONCE = 100;
const MAX_TIMER_MS = 3_600_000;
const ACTOR = systemActor('human-requests');

/** Skipping what others have locked: any number of processes may run side by side. */
const EXPIRE = `
  UPDATE human_requests SET status = 'expired', resolved_at = clock_timestamp()
  WHERE id IN (
    SELECT id FROM human_requests WHERE status = 'pending' AND timeout_at <= clock_timestamp()
    ORDER BY timeout_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED)
  RETURNING *`;

const NEXT = `
  SELECT extract(epoch FROM min(timeout_at) - clock_timestamp())::float8 * 1000 AS ms
  FROM human_requests WHERE status = 'pending'`;

/**
 * Gives up requests that nobody answered, at their very time: a timer waits for the nearest one, and is set anew when a
 * request is made. Every few seconds, and on every connection of the listener, it looks without being told.
 */
@Injectable()
export class RequestExpiry implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RequestExpiry.name);
  private running = false;
  private again = false;
  private looking: Promise<void> | null = null;
  private due: NodeJS.Timeout | undefined;
  private poll: NodeJS.Timeout | undefined;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly listener: NotificationListener,
    private readonly messages: Messages,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('dispatcher')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    const wake = (): void => this.wake();
    this.unsubscribe = this.listener.subscribe(HUMAN_REQUESTS_CHANNEL, { notified: wake, connected: wake });
    this.poll = setInterval(wake, this.settings.ENTOURAGE_POLL_SECONDS * 1000);
    this.wake();
  }

  async stop(): Promise<void> {
    this.running = false;
    this.unsubscribe();
    clearInterval(this.poll);
    clearTimeout(this.due);
    await this.looking;
  }

  private wake(): void {
    this.again = true;
    if (!this.running || this.looking !== null) return;
    this.looking = this.look()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'expiring human requests failed'))
      .finally(() => (this.looking = null));
  }

  private async look(): Promise<void> {
    while (this.running && this.again) {
      this.again = false;
      while (this.running && (await this.expire()) === AT_ONCE);
      const [next] = await this.db.query<{ ms: number | null }[]>(NEXT);
      clearTimeout(this.due);
      if (this.running && typeof next?.ms === 'number')
        this.due = setTimeout(() => this.wake(), Math.min(MAX_TIMER_MS, Math.max(0, next.ms) + 1));
    }
  }

  private expire(): Promise<number> {
    return this.db.transaction(async (manager) => {
      const [expired] = await manager.query<[HumanRequest[], number]>(EXPIRE);
      for (const request of expired) {
        await tellAsker(manager, this.messages, request, ACTOR);
        await recordRequest(manager, request, ACTOR);
      }
      return expired.length;
    });
  }
}
