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
import { WorkLoop } from '../../database/work-loop.js';
import { systemActor } from '../auth/identity.js';
import { Messages } from '../tasks/tasks.facade.js';
import { type HumanRequest } from './human-request.entity.js';
import { recordRequest, tellAsker } from './record-request.js';

const AT_ONCE = 100;
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
  private readonly loop: WorkLoop;

  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    listener: NotificationListener,
    private readonly messages: Messages,
  ) {
    this.loop = new WorkLoop(listener, {
      channel: HUMAN_REQUESTS_CHANNEL,
      poll_seconds: settings.ENTOURAGE_POLL_SECONDS,
      look: () => this.look(),
      untilNext: () => this.untilNext(),
      failed: (error) => this.logger.warn({ err: error }, 'expiring human requests failed'),
    });
  }

  onApplicationBootstrap(): void {
    if (this.settings.ENTOURAGE_ROLES.includes('dispatcher')) this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async look(): Promise<void> {
    while (this.loop.isRunning && (await this.expire()) === AT_ONCE);
  }

  private async untilNext(): Promise<number | null> {
    const [next] = await this.db.query<{ ms: number | null }[]>(NEXT);
    return next?.ms ?? null;
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
