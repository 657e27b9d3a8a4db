export type OutboundErrorCode =
  | 'invalid_url'
  | 'address_refused'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'reset'
  | 'timeout'
  | 'protocol'
  /** The fault is this service's own. */
  | 'internal';

/** Why a call to an outside system got no answer; the message is for a person and holds no address. */
export class OutboundError extends Error {
  constructor(
    readonly code: OutboundErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'OutboundError';
  }
}

const CODES: Record<string, OutboundErrorCode> = {
  ECONNREFUSED: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  EADDRNOTAVAIL: 'connect',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
};

export function outboundError(error: unknown): OutboundError {
  if (error instanceof OutboundError) return error;
  const fault = (error ?? {}) as { name?: string; code?: unknown; cause?: unknown; errors?: unknown[] };
  if (fault.cause instanceof OutboundError) return fault.cause;
  // With several addresses tried, Node wraps one error for each.
  if (fault.errors?.[0] !== undefined) return outboundError(fault.errors[0]);
  if (fault.name === 'TimeoutError' || fault.name === 'AbortError')
    return new OutboundError('timeout', 'There was no answer in time');
  const code = typeof fault.code === 'string' ? fault.code : '';
  const tls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code);
  return new OutboundError(
    CODES[code] ?? (tls ? 'tls' : 'protocol'),
    `The call failed (${code === '' ? (fault.name ?? 'unknown error') : code})`,
  );
}
