import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface ReceivedRequest {
  path: string;
  headers: IncomingHttpHeaders;
  /** The exact bytes, as text. */
  body: string;
  /** The body, parsed. */
  json: ReturnType<typeof JSON.parse>;
}

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  received: ReceivedRequest,
) => unknown;

/** An outside system that is told things: a real HTTP server that keeps what it got and answers as it is told to. */
export interface Receiver {
  url: string;
  received: ReceivedRequest[];
  /** Requests under way at once, at the most so far. */
  peak: number;
  /** How it answers from now on; at first 200. */
  answer(handler: Handler | number): void;
  close(): Promise<void>;
}

export async function startReceiver(port = 0): Promise<Receiver> {
  let handler: Handler = (_, response) => response.writeHead(200).end('thanks');
  let open = 0;
  const server = createServer((request, response) => {
    open += 1;
    receiver.peak = Math.max(receiver.peak, open);
    response.on('close', () => (open -= 1));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const received = { path: request.url ?? '', headers: request.headers, body, json: JSON.parse(body) };
      receiver.received.push(received);
      handler(request, response, received);
    });
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    peak: 0,
    answer: (next) => {
      handler = typeof next === 'number' ? (_, response) => response.writeHead(next).end() : next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return receiver;
}
