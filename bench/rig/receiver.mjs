// Outside systems that are told things, all in one process: a port for each. Some are dead: they take the connection and
// never answer. (Others are dead by not being there, which needs no program.)
import { createServer } from 'node:http';
import { takeOrders } from './take-orders.mjs';

let counts = [];

const listen = (answer) =>
  new Promise((done) => {
    const server = createServer(answer);
    server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}/`));
  });

const healthy = (place) => (request, response) => {
  request.resume();
  request.on('end', () => {
    counts[place] = (counts[place] ?? 0) + 1;
    response.writeHead(200).end();
  });
};

takeOrders({
  listen: async ({ receivers, hanging }) => ({
    urls: await Promise.all(
      Array.from({ length: receivers }, (_, place) =>
        listen(place < hanging ? (request) => void request.resume() : healthy(place)),
      ),
    ),
  }),
  /** How many requests each answered since the last time this was asked. */
  counts: () => {
    const result = { counts: Array.from(counts, (count) => count ?? 0) };
    counts = [];
    return result;
  },
});
