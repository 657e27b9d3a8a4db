// The floor: what a webhook receiver that keeps its promise cannot do without, and nothing else.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import pg from 'pg';

const { FLOOR_URL, FLOOR_SECRET } = process.env;
const pool = new pg.Pool({ connectionString: FLOOR_URL, max: 32 });
await pool.query(
  'CREATE TABLE IF NOT EXISTS floor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)',
);

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const expected = `sha256=${createHmac('sha256', FLOOR_SECRET).update(body).digest('hex')}`;
    const given = String(request.headers['x-hub-signature-256']);
    if (given.length !== expected.length || !timingSafeEqual(Buffer.from(expected), Buffer.from(given))) {
      response.writeHead(401).end();
      return;
    }
    pool.query({ name: 'floor', text: 'INSERT INTO floor (body) VALUES ($1)', values: [body] }).then(
      () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
      () => response.writeHead(503).end(),
    );
  });
});
server.listen(0, '127.0.0.1', () =>
  console.error(`listening on http://127.0.0.1:${server.address().port}; the floor`),
);
process.on('SIGTERM', () => process.exit(0));
