import { normalizeIp } from '@nestjs/throttler';
import { type Server } from 'node:http';
import { type Socket } from 'node:net';
import { type Settings } from '../config/settings.js';

/** For the headers alone: whoever sends them byte by byte is no client of this service. */
const HEADERS_MS = 10_000;
const CHECK_MS = 1_000;

/**
 * Bounds what callers may keep this process busy with before they have asked for anything: how many connect, and how
 * long a request takes to arrive. Node answers 408 to what is late and 431 to more than 16 KiB of headers.
 * @param isProxy whether an address is one that many callers share
 */
export function boundConnections(
  server: Server,
  settings: Pick<
    Settings,
    'ENTOURAGE_MAX_CONNECTIONS' | 'ENTOURAGE_MAX_CONNECTIONS_PER_ADDRESS' | 'ENTOURAGE_REQUEST_SECONDS'
  >,
  isProxy: (address: string) => boolean,
): void {
  const request_ms = settings.ENTOURAGE_REQUEST_SECONDS * 1000;
  server.maxConnections = settings.ENTOURAGE_MAX_CONNECTIONS;
  server.requestTimeout = request_ms;
  server.headersTimeout = Math.min(HEADERS_MS, request_ms);
  // An option of the constructor, which is not ours to call; read when the server begins to listen.
  Object.assign(server, { connectionsCheckingInterval: CHECK_MS });
  const most = settings.ENTOURAGE_MAX_CONNECTIONS_PER_ADDRESS;
  if (most > 0) boundEach(server, most, isProxy);
}

/** So that one caller cannot take all the places there are. */
function boundEach(server: Server, most: number, isProxy: (address: string) => boolean): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || isProxy(remoteAddress)) return;
    const address = normalizeIp(remoteAddress);
    const others = open.get(address) ?? 0;
    if (others >= most) {
      socket.destroy();
      return;
    }
    open.set(address, others + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}
