import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.js';
import { settingsSummary } from './config/settings-summary.js';
import { type ResolvedSettings, type Settings } from './config/settings.js';
import { configureApp } from './configure-app.js';
import { migrate, migrationsApplied } from './database/migrate.js';
import { urlOf } from './http/service-address.js';
import { resolveDatabase, type StartOptions } from './resolve-database.js';

/** What requests and runs may take beyond the grace period before the shutdown goes on without them. */
const CLOSE_SECONDS = 5;

export interface RunningService {
  url: string;
  /** Drains requests and runs, then stops the embedded database, if there is one. Bounded in time. */
  stop(): Promise<void>;
}

/**
 * Brings the whole service up: data directory and embedded PostgreSQL where no DATABASE_URL is set, migrations, HTTP.
 * @throws what made it impossible, when everything has been stopped again.
 */
export async function startService(settings: Settings, options: StartOptions = {}): Promise<RunningService> {
  const { signal } = options;
  const undo: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      for (const step of undo.toReversed()) await step();
    })());
  try {
    const resolved = await resolveDatabase(settings, options, undo);
    signal?.throwIfAborted();
    await bringSchema(resolved, options);
    signal?.throwIfAborted();
    const app = await NestFactory.create<NestExpressApplication>(AppModule.register(resolved), {
      bodyParser: false,
      bufferLogs: true,
      abortOnError: false,
    });
    undo.push(() => close(app, resolved.ENTOURAGE_SHUTDOWN_GRACE_SECONDS));
    const logger = app.get(Logger);
    app.useLogger(logger);
    logger.log({ settings: settingsSummary(resolved) }, 'settings', 'Service');
    configureApp(app);
    signal?.throwIfAborted();
    await app.listen(resolved.PORT, resolved.HOST);
    return { url: urlOf(app.getHttpServer().address() as AddressInfo), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Applies what is pending, or waits for whoever does: a process that serves never runs on an older schema. */
async function bringSchema(settings: ResolvedSettings, options: StartOptions): Promise<void> {
  const { progress = () => undefined, signal } = options;
  const url = settings.DATABASE_DIRECT_URL ?? settings.DATABASE_URL;
  if (!settings.ENTOURAGE_MIGRATE) return migrationsApplied(url, { waiting: progress, signal });
  const applied = await migrate(url);
  if (applied.length > 0) progress(`applied ${applied.length} migration(s): ${applied.join(', ')}`);
}

/**
 * Takes no new connection, lets what is under way finish, and cuts off what has not after the grace period: a client
 * that holds a request open does not hold up the shutdown.
 */
async function close(app: NestExpressApplication, graceSeconds: number): Promise<void> {
  const server = app.getHttpServer();
  if (server.listening) server.close();
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
  const late = new AbortController();
  try {
    await Promise.race([
      app.close(),
      delay((graceSeconds + CLOSE_SECONDS) * 1000, undefined, { signal: late.signal }),
    ]);
  } finally {
    late.abort();
    clearInterval(idle);
    clearTimeout(cut);
    server.closeAllConnections();
  }
}
