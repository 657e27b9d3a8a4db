// The least a notifier does: POST the signed body, and one durable INSERT that says how it went. Told how many, it
// answers how many seconds that took, with as many under way at once as the service allows itself.
import { createHmac } from 'node:crypto';
import pg from 'pg';
import { Agent, request } from 'undici';
import { takeOrders } from './take-orders.mjs';

const AT_ONCE = 200;
const dispatcher = new Agent({ connections: 10 });
const pool = new pg.Pool({ connectionString: process.env.SENDER_URL, max: 10 });
await pool.query(
  'CREATE TABLE IF NOT EXISTS floor_sent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status int)',
);

async function send(url, body) {
  const signature = createHmac('sha256', 'bench').update(body).digest('hex');
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-signature': signature },
    body,
    dispatcher,
  });
  await answer.body.dump();
  await pool.query({
    name: 'sent',
    text: 'INSERT INTO floor_sent (status) VALUES ($1)',
    values: [answer.statusCode],
  });
}

takeOrders({
  send: async ({ urls, count, body }) => {
    const began = performance.now();
    let taken = 0;
    const work = async () => {
      while (taken < count) {
        const url = urls[taken % urls.length];
        taken += 1;
        await send(url, body);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { seconds: (performance.now() - began) / 1000 };
  },
});
