import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ResolvedSettings } from '../../../config/settings.js';
import { type RepairableWebhook, WebhookRepairs } from '../../webhooks/webhook-repairs.service.js';
import { CredentialStore } from '../credentials/credential-store.js';
import { CheckWebhook } from './check-webhook.js';

const EVERY_SECONDS = 3_600;
/** What was checked that short a time ago is not checked again, also not by a process that starts. */
export const FRESH_SECONDS = 60;
const MAX_AT_ONCE = 4;

/** GitHub does not repeat what it could not deliver: at the start and every hour each webhook is checked for that. */
@Injectable()
export class RepairLoop implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RepairLoop.name);
  private stopping = new AbortController();
  private running = false;
  private poll: NodeJS.Timeout | undefined;
  private looking: Promise<void> | null = null;
  private min_age = FRESH_SECONDS;

  constructor(
    private readonly settings: ResolvedSettings,
    private readonly store: CredentialStore,
    private readonly repairs: WebhookRepairs,
    private readonly checks: CheckWebhook,
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
    this.stopping = new AbortController();
    this.min_age = FRESH_SECONDS;
    this.poll = setInterval(() => this.wake(), this.settings.ENTOURAGE_POLL_SECONDS * 1000);
    this.wake();
  }

  /** A check that is cut off is made again by the next process. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    clearInterval(this.poll);
    this.stopping.abort();
    await this.looking;
  }

  private wake(): void {
    this.looking ??= this.look()
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'looking for webhooks to check failed; the next look is soon'),
      )
      .finally(() => (this.looking = null));
  }

  private async look(): Promise<void> {
    const org_ids = await this.store.ready();
    const checking = new Set<Promise<void>>();
    while (this.running && org_ids.length > 0) {
      const webhook = await this.repairs.lease(org_ids, this.min_age);
      if (webhook === null) break;
      const check = this.check(webhook).finally(() => checking.delete(check));
      checking.add(check);
      if (checking.size >= MAX_AT_ONCE) await Promise.race(checking);
    }
    await Promise.all(checking);
    this.min_age = EVERY_SECONDS;
  }

  private async check(webhook: RepairableWebhook): Promise<void> {
    try {
      await this.checks.check(webhook, this.stopping.signal);
    } catch (error) {
      this.logger.warn({ err: error, webhook_id: webhook.id }, 'what a check found could not be kept');
    }
  }
}
