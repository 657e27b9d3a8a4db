import { type IncomingMessage, request as open, type Server } from 'node:http';
import { duplexPair, type Duplex } from 'node:stream';
import { type RequestContext, requestContext } from './request-context.js';

/** Requests that this process sends itself come over one of these, and from nowhere else; what each is part of. */
const OWN = new WeakMap<object, RequestContext | undefined>();

type WithSocket = Pick<IncomingMessage, 'socket'>;

export const isInProcess = ({ socket }: WithSocket): boolean => OWN.has(socket);

/** Of a request that this process sent itself: the request that was served when it did. */
export const outerContext = ({ socket }: WithSocket): RequestContext | undefined => OWN.get(socket);

export interface InProcessRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  /** JSON. */
  body?: string;
  /** Whom the call is made for, as the log names callers. */
  remote?: string | undefined;
  signal: AbortSignal;
}

export interface InProcessAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/**
 * Calls a route of this process's own HTTP server, over a pair of streams instead of the network: parser, middleware,
 * guards, pipes and filters are the ones that every other caller meets. Aborting it closes the connection, as a client
 * that goes away does.
 */
export function callInProcess(server: Server, call: InProcessRequest): Promise<InProcessAnswer> {
  const near = connect(server, call.remote);
  const { method, path, headers, body, signal } = call;
  return new Promise((resolve, reject) => {
    const request = open({
      createConnection: () => near,
      method,
      path,
      headers: {
        host: 'in-process',
        ...headers,
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      signal,
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.end(body);
  });
}

/** @returns this end; the server has the other. Neither outlives the other. */
function connect(server: Server, remoteAddress: string | undefined): Duplex {
  const [near, far] = duplexPair();
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
  OWN.set(Object.assign(far, { remoteAddress }), requestContext());
  server.emit('connection', far);
  return near;
}
