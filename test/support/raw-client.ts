import { connect, type Socket } from 'node:net';

/** A caller below HTTP: sends what it likes, when it likes, and keeps what comes back. */
export interface RawClient {
  socket: Socket;
  /** What the server has sent so far. */
  answer(): string;
  /** Whether the connection has ended, however that came about. */
  isClosed(): boolean;
  closed: Promise<void>;
  /** One more byte of `text` every few milliseconds, from its beginning again when it is at its end, until the connection ends. */
  dribble(text: string, every_ms: number): void;
}

/** @param from the address to call from; Linux takes any of 127.0.0.0/8 */
export function rawClient(url: string, from = '127.0.0.1'): RawClient {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', localAddress: from });
  let answer = '';
  let isClosed = false;
  socket.on('data', (data) => (answer += data.toString())).on('error', () => undefined);
  const closed = new Promise<void>((done) =>
    socket.once('close', () => {
      isClosed = true;
      done();
    }),
  );
  return {
    socket,
    answer: () => answer,
    isClosed: () => isClosed,
    closed,
    dribble: (text, every_ms) => {
      let sent = 0;
      const timer = setInterval(() => {
        socket.write(text.charAt(sent % text.length));
        sent += 1;
      }, every_ms);
      void closed.then(() => clearInterval(timer));
    },
  };
}
