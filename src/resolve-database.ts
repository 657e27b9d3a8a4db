import { ResolvedSettings, type Settings } from './config/settings.js';
import { lockDataDirectory, loadSecrets } from './database/data-directory.js';
import { startEmbeddedPostgres } from './database/embedded-postgres.js';

export interface StartOptions {
  /** Told each step, for a person. */
  progress?: (step: string) => void;
  /** Aborting gives up a start: what had been started is stopped again. */
  signal?: AbortSignal;
}

/**
 * The database to work on: that of DATABASE_URL, else the embedded one, which is started.
 * @param undo gets what has to be done, last first, to leave nothing behind; also when this throws.
 */
export async function resolveDatabase(
  settings: Settings,
  { progress = () => undefined, signal }: StartOptions,
  undo: (() => Promise<void>)[],
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
