import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What was sent to PostgreSQL on the way through. */
export interface StatementProxy {
  url: string;
  statements: Set<string>;
  /** Names of the parameters that connections began with. */
  parameters: Set<string>;
  close(): Promise<void>;
}

const CANCEL_REQUEST = 80_877_102;

/** Stands before a server and reads along, in PostgreSQL's protocol (version 3), what clients send. */
export async function startStatementProxy(direct_url: string): Promise<StatementProxy> {
  const url = new URL(direct_url);
  const target = { host: url.hostname, port: Number(url.port) };
  const statements = new Set<string>();
  const parameters = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target);
    for (const socket of [near, far])
      sockets.add(
        socket.on('error', () => undefined).on('close', () => [near, far].forEach((one) => one.destroy())),
      );
    let pending: Buffer = Buffer.alloc(0);
    let started = false;
    near.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        // The first message of a connection has no type.
        const head = started ? 1 : 0;
        if (pending.length < head + 4) return;
        const end = head + pending.readInt32BE(head);
        if (pending.length < end) return;
        const body = pending.subarray(head + 4, end);
        if (started) read(pending.toString('latin1', 0, 1), body);
        else if (body.readInt32BE(0) !== CANCEL_REQUEST) {
          const words = body.toString('utf8', 4).split('\0');
          words.forEach((word, index) => index % 2 === 0 && word !== '' && parameters.add(word));
        }
        started = true;
        pending = pending.subarray(end);
      }
    });
    near.pipe(far).pipe(near);
  });
  const read = (type: string, body: Buffer): void => {
    const words = body.toString('utf8').split('\0');
    if (type === 'Q') statements.add(words[0] ?? '');
    if (type === 'P') statements.add(words[1] ?? '');
  };
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    statements,
    parameters,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
