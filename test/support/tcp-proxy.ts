import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy before a server, to break the network on purpose. */
export interface TcpProxy {
  port: number;
  /** Connections accepted so far. */
  accepted(): number;
  /** From now on bytes go nowhere and nobody is told: what a half-open socket looks like. New connections work. */
  freeze(): void;
  /** As `freeze`, and for new connections too, until `restore`. */
  swallow(): void;
  /** Ends every connection, and each new one at once, until `restore`. */
  refuse(): void;
  restore(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let pairs: [Socket, Socket][] = [];
  let mode: 'pass' | 'swallow' | 'refuse' = 'pass';
  const freeze = (): void => {
    for (const [near, far] of pairs) {
      near.unpipe(far);
      far.unpipe(near);
      near.pause();
      far.pause();
    }
    pairs = [];
  };
  const server = createServer((near) => {
    accepted += 1;
    if (mode !== 'pass') {
      sockets.add(near.on('error', () => undefined));
      if (mode === 'refuse') near.destroy();
      return;
    }
    const far = createConnection(target);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far).pipe(near);
    pairs.push([near, far]);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    freeze,
    swallow: () => {
      mode = 'swallow';
      freeze();
    },
    refuse: () => {
      mode = 'refuse';
      for (const socket of sockets) socket.destroy();
    },
    restore: () => {
      mode = 'pass';
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
