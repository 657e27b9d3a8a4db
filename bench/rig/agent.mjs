// Agents of the `http` runtime, all of them in one process. Each takes its work, and reports success after AGENT_WORK_MS.
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { takeOrders } from './take-orders.mjs';

const work_ms = Number(process.env.AGENT_WORK_MS ?? 0);
let api;
let key;
let starts = new Map();
let refused = 0;

async function finish({ id, fencing_token }) {
  const answer = await api.request({
    path: `/api/v1/runs/${id}/finish`,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ fencing_token, status: 'succeeded', summary: 'done' }),
  });
  await answer.body.dump();
  if (answer.statusCode !== 200) refused += 1;
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const called_at = Date.now();
    response.writeHead(202).end();
    const { run } = JSON.parse(Buffer.concat(chunks));
    starts.set(run.id, called_at);
    const end = () => void finish(run).catch(() => (refused += 1));
    if (work_ms > 0) setTimeout(end, work_ms);
    else end();
  });
});

takeOrders({
  /** Where to report to. */
  report: ({ url, key: given }) => {
    api = new Pool(url, { connections: 64 });
    key = given;
  },
  /** What came since the last time it was asked. */
  result: () => {
    const result = { starts: [...starts], refused };
    starts = new Map();
    refused = 0;
    return result;
  },
  listen: () =>
    new Promise((done) =>
      server.listen(0, '127.0.0.1', () => done({ url: `http://127.0.0.1:${server.address().port}/` })),
    ),
});
