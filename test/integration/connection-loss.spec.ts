import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { DataSource } from 'typeorm';
import { connectionOptions } from '../../src/database/connection-options.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/until.js';

const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** The server's last words to a connection (PostgreSQL documentation, "Message Formats": ErrorResponse). */
function farewell(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

describe('a connection that the server ends in the very packet that says it is ready', () => {
  let database: TestDatabase;
  let between: Server;
  let url: string;
  let ending = false;

  beforeAll(async () => {
    database = await createTestDatabase();
    const server = new URL(database.url);
    const target = { host: server.hostname, port: Number(server.port) };
    between = createServer((near) => {
      const far = createConnection(target);
      for (const socket of [near, far]) socket.on('error', () => undefined);
      near.pipe(far);
      far.on('data', (bytes: Buffer) => {
        if (ending && bytes.includes(READY_FOR_QUERY)) near.end(Buffer.concat([bytes, farewell()]));
        else near.write(bytes);
      });
      far.on('end', () => near.end());
    });
    await new Promise<void>((done) => between.listen(0, '127.0.0.1', done));
    server.port = String((between.address() as AddressInfo).port);
    url = server.href;
  });
  afterAll(async () => {
    between.close();
    await database.drop();
  });

  it('fails the query, not the process, and the pool goes on', async () => {
    const db = await new DataSource(connectionOptions(url, [], 2)).initialize();
    try {
      ending = true;
      // The first may still get the connection from before.
      const answers = await Promise.allSettled(Array.from({ length: 4 }, () => db.query('SELECT 1 AS one')));
      expect(answers.filter((answer) => answer.status === 'rejected').length).toBeGreaterThan(0);
      ending = false;
      const one = (): Promise<boolean> =>
        db.query('SELECT 1').then(
          () => true,
          () => false,
        );
      await until(one, 'a query to be answered again');
    } finally {
      await db.destroy();
    }
  });
});
