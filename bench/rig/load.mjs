// The load generator, a process of its own. Told how (`closed` or `paced`), it answers what it measured.
import autocannon from 'autocannon';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { nextDelivery } from './deliver.mjs';
import { summary } from './numbers.mjs';
import { takeOrders } from './take-orders.mjs';

/** As many requests under way as there are connections: what the other side can take. */
async function closed({ target, connections, seconds, deliveries, headers }) {
  const instance = autocannon({
    url: target,
    method: deliveries === undefined ? 'GET' : 'POST',
    headers,
    connections,
    duration: seconds,
    setupClient: (client) => {
      if (deliveries === undefined) return;
      const next = () => {
        const { headers: signed, body } = nextDelivery(deliveries);
        client.setHeadersAndBody(signed, body);
      };
      next();
      client.on('response', next);
    },
  });
  const times = [];
  instance.on('response', (_client, _status, _bytes, milliseconds) => times.push(milliseconds));
  const result = await instance;
  return {
    count: result['2xx'],
    refused: result.non2xx + result.errors,
    per_second: result['2xx'] / result.duration,
    ...summary(times),
  };
}

/** At a given rate, whatever the other side does: a time counts from when the request was due, not from when it left. */
async function paced({ target, per_second, seconds, deliveries }) {
  const { origin, pathname } = new URL(target);
  const pool = new Pool(origin, { connections: 128 });
  const times = [];
  const answers = [];
  let refused = 0;
  const began = performance.now();
  const send = async (due) => {
    try {
      const answer = await pool.request({ path: pathname, method: 'POST', ...nextDelivery(deliveries) });
      await answer.body.dump();
      if (answer.statusCode < 300) times.push(performance.now() - due);
      else refused += 1;
    } catch {
      refused += 1;
    }
  };
  const total = Math.round(per_second * seconds);
  for (let sent = 0; sent < total;) {
    for (; sent < total; sent += 1) {
      const due = began + (sent * 1000) / per_second;
      if (due > performance.now()) break;
      answers.push(send(due));
    }
    await delay(1);
  }
  await Promise.all(answers);
  const took = (performance.now() - began) / 1000;
  await pool.close();
  return { count: times.length, refused, per_second: times.length / took, ...summary(times) };
}

takeOrders({ closed, paced });
