import { type Server } from 'node:http';
import { type Settings } from '../config/settings.js';

/** For the headers alone: whoever sends them byte by byte is no client of this service. */
const HEADERS_MS = 10_000;
const CHECK_MS = 1_000;

/**
 * Bounds what callers may keep this process busy with before they have asked for anything: how many connect, and how
 * long a request takes to arrive. Node answers 408 to what is late and 431 to more than 16 KiB of headers.
 */
export function boundConnections(
  server: Server,
  settings: Pick<Settings, 'ENTOURAGE_MAX_CONNECTIONS' | 'ENTOURAGE_REQUEST_SECONDS'>,
): void {
  const request_ms = settings.ENTOURAGE_REQUEST_SECONDS * 1000;
  server.maxConnections = settings.ENTOURAGE_MAX_CONNECTIONS;
  server.requestTimeout = request_ms;
  server.headersTimeout = Math.min(HEADERS_MS, request_ms);
  // An option of the constructor, which is not ours to call; read when the server begins to listen.
  Object.assign(server, { connectionsCheckingInterval: CHECK_MS });
}
