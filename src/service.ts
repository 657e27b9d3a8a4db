import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';
import { ResolvedSettings, type Settings } from './config/settings.js';
import { configureApp } from './configure-app.js';
import { lockDataDirectory, loadSecrets } from './database/data-directory.js';
import { startEmbeddedPostgres } from './database/embedded-postgres.js';
import { migrate } from './database/migrate.js';

export interface RunningService {
  url: string;
  /** Drains requests and runs, then stops the embedded database, if there is one. */
  stop(): Promise<void>;
}

/**
 * Brings the whole service up: data directory and embedded PostgreSQL where no DATABASE_URL is set, migrations, HTTP.
 * @param progress is told each step, for a person.
 */
export async function startService(
  settings: Settings,
  progress: (step: string) => void,
): Promise<RunningService> {
  const undo: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      for (const step of undo.reverse()) await step();
    })());
  try {
    const resolved = await resolveDatabase(settings, progress, undo);
    const applied = await migrate(resolved.DATABASE_DIRECT_URL ?? resolved.DATABASE_URL);
    if (applied.length > 0) progress(`applied ${applied.length} migration(s): ${applied.join(', ')}`);
    const app = await NestFactory.create<NestExpressApplication>(AppModule.register(resolved), {
      bodyParser: false,
      bufferLogs: true,
      abortOnError: false,
    });
    undo.push(() => app.close());
    configureApp(app);
    await app.listen(resolved.PORT, resolved.HOST);
    const { address, port, family } = app.getHttpServer().address() as AddressInfo;
    return { url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function resolveDatabase(
  settings: Settings,
  progress: (step: string) => void,
  undo: (() => Promise<void>)[],
): Promise<ResolvedSettings> {
  if (settings.DATABASE_URL !== undefined) return Object.assign(new ResolvedSettings(), settings);
  undo.push(await lockDataDirectory(settings.ENTOURAGE_DATA_DIR));
  const secrets = await loadSecrets(settings.ENTOURAGE_DATA_DIR);
  const server = await startEmbeddedPostgres({
    directory: settings.ENTOURAGE_DATA_DIR,
    password: secrets.database_password,
    progress,
  });
  undo.push(() => server.stop());
  return Object.assign(new ResolvedSettings(), settings, {
    DATABASE_URL: server.url,
    ENTOURAGE_JWT_SECRET: settings.ENTOURAGE_JWT_SECRET ?? secrets.jwt_secret,
    ENTOURAGE_ENCRYPTION_KEY: settings.ENTOURAGE_ENCRYPTION_KEY ?? secrets.encryption_key,
  });
}
