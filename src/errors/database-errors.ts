/** Classes and codes of SQLSTATE (PostgreSQL, appendix A) that say "not now" rather than "not so". */
const UNAVAILABLE_STATES = /^(08|53|57P0|57014|25006|55P03)/;
const UNAVAILABLE_SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
/** "Already released": what TypeORM says of a transaction whose connection was lost between two of its statements. */
const UNAVAILABLE_MESSAGES =
  /Connection terminated|already released|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Connection is not established|pool (is|was) (closed|ended)|Cannot use a pool after calling end|not queryable/i;

/** What the driver said of an error: TypeORM wraps the driver's own. */
export interface DatabaseFault {
  code?: string;
  constraint?: string;
  message: string;
}

/** `instanceof` does not know errors of sockets, which Node makes outside the realm of a `vm` context. */
const isError = (value: unknown): value is Error =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';

export function databaseFault(error: unknown): DatabaseFault | null {
  if (!isError(error)) return null;
  const inner = 'driverError' in error && isError(error.driverError) ? error.driverError : error;
  const { code, constraint } = inner as Error & { code?: unknown; constraint?: unknown };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof constraint === 'string' ? { constraint } : {}),
    message: inner.message,
  };
}

/** Whether the database could not be reached, is overloaded, or is stopping: the same request may succeed later. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const fault = databaseFault(error);
  if (fault === null) return false;
  if (
    fault.code !== undefined &&
    (UNAVAILABLE_SYSTEM_CODES.has(fault.code) || UNAVAILABLE_STATES.test(fault.code))
  )
    return true;
  return UNAVAILABLE_MESSAGES.test(fault.message);
}

/** Whether a text held what PostgreSQL cannot keep: U+0000, or in JSON an unpaired surrogate. */
export function isUnstorableText(error: unknown): boolean {
  const code = databaseFault(error)?.code;
  return code === '22021' || code === '22P05';
}

/** Whether the error is a violation of the named unique constraint or index. */
export function violatesUnique(error: unknown, constraint: string): boolean {
  const fault = databaseFault(error);
  return fault?.code === '23505' && fault.constraint === constraint;
}
