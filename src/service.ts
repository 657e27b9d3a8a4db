import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.js';
import { settingsSummary } from './config/settings-summary.js';
import { ResolvedSettings, type Settings } from './config/settings.js';
import { configureApp } from './configure-app.js';
import { lockDataDirectory, loadSecrets } from './database/data-directory.js';
import { startEmbeddedPostgres } from './database/embedded-postgres.js';
import { migrate } from './database/migrate.js';
import { urlOf } from './http/service-address.js';

/** What requests and runs may take beyond the grace period before the shutdown goes on without them. */
const CLOSE_SECONDS = 5;

export interface RunningService {
  url: string;
  /** Drains requests and runs, then stops the embedded database, if there is one. Bounded in time. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Told each step, for a person. */
  progress?: (step: string) => void;
  /** Aborting gives up a start: what had been started is stopped again. */
  signal?: AbortSignal;
}

/**
 * Brings the whole service up: data directory and embedded PostgreSQL where no DATABASE_URL is set, migrations, HTTP.
 * @throws what made it impossible, when everything has been stopped again.
 */
export async function startService(settings: Settings, options: StartOptions = {}): Promise<RunningService> {
  const { progress = () => undefined, signal } = options;
  const undo: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      for (const step of undo.toReversed()) await step();
    })());
  try {
    const resolved = await resolveDatabase(settings, progress, undo, signal);
    signal?.throwIfAborted();
    const applied = await migrate(resolved.DATABASE_DIRECT_URL ?? resolved.DATABASE_URL);
    if (applied.length > 0) progress(`applied ${applied.length} migration(s): ${applied.join(', ')}`);
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

async function resolveDatabase(
  settings: Settings,
  progress: (step: string) => void,
  undo: (() => Promise<void>)[],
  signal: AbortSignal | undefined,
): Promise<ResolvedSettings> {
  if (settings.DATABASE_URL !== undefined) {
    progress('using the PostgreSQL of DATABASE_URL');
    return Object.assign(new ResolvedSettings(), settings);
  }
  undo.push(await lockDataDirectory(settings.ENTOURAGE_DATA_DIR));
  const secrets = await loadSecrets(settings.ENTOURAGE_DATA_DIR);
  signal?.throwIfAborted();
  const server = await startEmbeddedPostgres({
    directory: settings.ENTOURAGE_DATA_DIR,
    password: secrets.database_password,
    progress,
    keep: true,
  });
  undo.push(() => server.stop());
  return Object.assign(new ResolvedSettings(), settings, {
    DATABASE_URL: server.url,
    ENTOURAGE_JWT_SECRET: settings.ENTOURAGE_JWT_SECRET ?? secrets.jwt_secret,
    ENTOURAGE_ENCRYPTION_KEY: settings.ENTOURAGE_ENCRYPTION_KEY ?? secrets.encryption_key,
  });
}
