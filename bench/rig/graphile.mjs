// A worker of graphile-worker whose job does nothing.
import { run } from 'graphile-worker';
import { takeOrders } from './take-orders.mjs';

const { GRAPHILE_URL, GRAPHILE_CONCURRENCY } = process.env;
let runner;

takeOrders({
  start: async () => {
    runner = await run({
      connectionString: GRAPHILE_URL,
      concurrency: Number(GRAPHILE_CONCURRENCY),
      maxPoolSize: 10,
      noHandleSignals: true,
      logger: undefined,
      taskList: { noop: () => Promise.resolve() },
    });
  },
  stop: async () => {
    await runner.stop();
  },
});
