import { SettingsError } from './config/parse-settings.js';
import { DataDirectoryError } from './database/data-directory.js';
import { EmbeddedPostgresError } from './database/embedded-postgres.js';
import { isDatabaseUnavailable } from './errors/database-errors.js';

/** The command line says what cannot be done. */
export class CommandError extends Error {}

/** Why the service did not start, for the person who started it: one line a fault; a stack only for what nobody foresaw. */
export function explainStartFailure(error: unknown): string[] {
  if (error instanceof SettingsError) return error.faults;
  if (error instanceof CommandError) return [error.message];
  if (error instanceof DataDirectoryError || error instanceof EmbeddedPostgresError) return [error.message];
  if (!(error instanceof Error)) return [String(error)];
  const { code, syscall, address, port, path } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (syscall === 'listen') {
    if (code === 'EADDRINUSE')
      return [`port ${port} on ${address} is in use: stop what listens there or set PORT to another one`];
    if (code === 'EACCES') return [`port ${port} may not be used by this user: set PORT to 1024 or higher`];
    return [`cannot listen on ${address}:${port} (${code}): check HOST and PORT`];
  }
  if (path !== undefined && (code === 'EACCES' || code === 'EROFS' || code === 'EPERM'))
    return [
      `${path} cannot be written (${code}): set ENTOURAGE_DATA_DIR to a directory this user may write to`,
    ];
  if (path !== undefined && (code === 'ENOSPC' || code === 'ENOTDIR')) return [`${path}: ${error.message}`];
  const database = databaseFailure(error);
  return database === null ? [error.stack ?? error.message] : [database];
}

/** Failures to connect to DATABASE_URL: the address is the operator's own, the password is never in these messages. */
function databaseFailure(error: Error): string | null {
  const inner = 'driverError' in error && error.driverError instanceof Error ? error.driverError : error;
  const first = inner instanceof AggregateError && inner.errors[0] instanceof Error ? inner.errors[0] : inner;
  const { code = '' } = first as NodeJS.ErrnoException;
  if (['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH'].includes(code))
    return `PostgreSQL at DATABASE_URL does not answer (${first.message})`;
  if (/^(28|3D)/.test(code)) return `PostgreSQL at DATABASE_URL refuses the connection: ${first.message}`;
  if (first.message.startsWith('unsupported startup parameter'))
    return 'DATABASE_URL leads to a connection pooler: set DATABASE_DIRECT_URL to PostgreSQL itself';
  // Just starting or stopping, or out of connections.
  if (isDatabaseUnavailable(error))
    return `PostgreSQL at DATABASE_URL is not available now (${first.message})`;
  return null;
}
