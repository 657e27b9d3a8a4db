import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Socket } from 'node:net';
import pg from 'pg';
import { ResolvedSettings } from '../config/settings.js';

export interface ListenerSubscriber {
  /** A notification came. A hint only: it may be late, doubled or lost. */
  notified(payload: string): void;
  /** The channel is being listened to, again or for the first time: whatever was missed must be fetched now. */
  connected?(): void;
}

export interface ListenerHealth {
  connected: boolean;
  /** When the current connection came up, or the last one was lost. */
  since: Date;
  /** Connections after the first. */
  reconnects: number;
}

export interface ListenerTiming {
  /** How often the connection is asked for a sign of life, and how long it may take to give it. */
  ping_ms: number;
  deadline_ms: number;
  backoff_ms: number;
  max_backoff_ms: number;
}

const TIMING: ListenerTiming = {
  ping_ms: 5_000,
  deadline_ms: 5_000,
  backoff_ms: 100,
  max_backoff_ms: 10_000,
};

/** One connection with its socket, which is kept so that a peer that went silent can be dropped without asking it. */
interface Link {
  client: pg.Client;
  socket: Socket;
  queue: Promise<void>;
}

/**
 * The one connection of this process that LISTENs: direct, never through a transaction pooler. It notices its own
 * death, also the silent one of a half-open socket, connects again with backoff, and then tells every subscriber to
 * fetch, because PostgreSQL keeps no notification for who was away.
 */
@Injectable()
export class NotificationListener implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(NotificationListener.name);
  private readonly channels = new Map<string, Set<ListenerSubscriber>>();
  private readonly url: string;
  private link: Link | null = null;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private connections = 0;
  private since = new Date();
  private running = false;
  /** Grows with every start and stop: what an earlier one began ends without effect. */
  private era = 0;
  private timing = TIMING;

  constructor(settings: ResolvedSettings) {
    this.url = settings.DATABASE_DIRECT_URL ?? settings.DATABASE_URL;
  }

  /** Shortens the times, for tests. */
  withTiming(timing: Partial<ListenerTiming>): this {
    this.timing = { ...TIMING, ...timing };
    return this;
  }

  onApplicationBootstrap(): void {
    this.start();
  }

  onApplicationShutdown(): void {
    this.stop();
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.era += 1;
    void this.connect();
  }

  stop(): void {
    this.running = false;
    this.era += 1;
    clearTimeout(this.timer);
    const link = this.link;
    if (link === null) return;
    this.down(link);
    link.client.end().catch(() => undefined);
    setTimeout(() => link.socket.destroy(), this.timing.deadline_ms).unref();
  }

  get health(): ListenerHealth {
    return {
      connected: this.link !== null,
      since: this.since,
      reconnects: Math.max(0, this.connections - 1),
    };
  }

  /** @returns a function that ends the subscription. */
  subscribe(channel: string, subscriber: ListenerSubscriber): () => void {
    const subscribers = this.channels.get(channel) ?? new Set();
    this.channels.set(channel, subscribers.add(subscriber));
    if (this.link !== null) {
      const { link } = this;
      this.query(link, listen(channel)).then(
        () => link === this.link && subscribers.has(subscriber) && this.call(() => subscriber.connected?.()),
        (error: unknown) => this.lost(link, error),
      );
    }
    return () => void subscribers.delete(subscriber);
  }

  private async connect(): Promise<void> {
    const { era } = this;
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'entourage-listen',
      stream: () => socket,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: this.timing.deadline_ms,
    });
    const link: Link = { client, socket, queue: Promise.resolve() };
    client.on('error', (error) => this.lost(link, error));
    client.on('end', () => this.lost(link, new Error('the server closed the connection')));
    client.on('notification', ({ channel, payload }) => {
      for (const subscriber of this.channels.get(channel) ?? [])
        this.call(() => subscriber.notified(payload ?? ''));
    });
    try {
      await client.connect();
      for (const channel of this.channels.keys()) await this.query(link, listen(channel));
    } catch (error) {
      socket.destroy();
      if (era === this.era) this.retry(error);
      return;
    }
    if (era !== this.era) {
      socket.destroy();
      return;
    }
    this.up(link);
  }

  private up(link: Link): void {
    this.link = link;
    this.since = new Date();
    this.failures = 0;
    this.connections += 1;
    this.schedulePing(link);
    for (const subscribers of this.channels.values())
      for (const subscriber of subscribers) this.call(() => subscriber.connected?.());
  }

  private schedulePing(link: Link): void {
    this.timer = setTimeout(() => {
      this.query(link, 'SELECT 1').then(
        () => link === this.link && this.schedulePing(link),
        (error: unknown) => this.lost(link, error),
      );
    }, this.timing.ping_ms).unref();
  }

  /** A query, after those before it, that fails at its deadline: on a half-open socket it would wait for ever. */
  private query(link: Link, sql: string): Promise<void> {
    link.queue = link.queue.then(() => this.queryNow(link, sql));
    return link.queue;
  }

  private async queryNow(link: Link, sql: string): Promise<void> {
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, fail) => {
      deadline = setTimeout(() => fail(new Error('no answer in time')), this.timing.deadline_ms);
    });
    try {
      await Promise.race([link.client.query(sql), late]);
    } finally {
      clearTimeout(deadline);
    }
  }

  private lost(link: Link, error: unknown): void {
    if (link !== this.link) return;
    this.down(link);
    link.socket.destroy();
    this.retry(error);
  }

  private down(link: Link): void {
    if (link !== this.link) return;
    this.link = null;
    this.since = new Date();
    clearTimeout(this.timer);
  }

  private retry(error: unknown): void {
    if (!this.running) return;
    const ceiling = Math.min(this.timing.max_backoff_ms, this.timing.backoff_ms * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 20);
    this.logger.warn({ err: error }, 'the connection that listens was lost; connecting again');
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), ceiling * (0.5 + Math.random() / 2)).unref();
  }

  private call(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.logger.error({ err: error }, 'a subscriber failed on a notification');
    }
  }
}

const listen = (channel: string): string => `LISTEN ${pg.escapeIdentifier(channel)}`;
