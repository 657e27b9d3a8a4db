// Signed deliveries acknowledged per second, against the floor: bare node:http, an HMAC and one durable INSERT.
import { printTable } from './rig/table.mjs';
import { medianOf, medianRatio } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { alternate } from './rig/rounds.mjs';
import { cpu } from './rig/usage.mjs';
import { makeWebhook, makeWorkspace } from './rig/workspace.mjs';

const GOALS = { issues: 0.8, pull_request: 0.8, push: 1 };

/** `wal` counts what is written beside it too: nothing else runs on this server. */
export async function ingestRound(rig, load, side, order) {
  const postmaster = await rig.postmaster();
  const look = async () => ({
    node: await cpu([side.process.pid]),
    postgres: await cpu([postmaster], { children: true }),
    wal: await rig.wal(),
  });
  const before = await look();
  const result = await load.ask({
    ...order,
    target: side.target,
    deliveries: { ...order.deliveries, secret: side.secret },
  });
  const after = await look();
  if (result.refused > 0) console.error(`  ${result.refused} deliveries not acknowledged`);
  const each = (name) => (after[name] - before[name]) / result.count;
  return { ...result, node: each('node'), postgres: each('postgres'), wal_kb: each('wal') / 1000 };
}

export default {
  about:
    'The full path of a signed delivery (log, task, audit event, assignment, NOTIFY), acknowledged when it is on disk.',
  options: { connections: '32,128', events: 'issues,pull_request,push', text: '0' },
  run: (settings) =>
    withRig(async (rig) => {
      const load = rig.helper('load');
      const process = await rig.service(rig.url);
      const sides = {
        floor: await rig.floor(),
        entourage: { process, ...(await makeWebhook(await makeWorkspace(process.url))) },
      };
      const rows = [];
      for (const event of settings.list('events'))
        for (const connections of settings.numbers('connections')) {
          const order = {
            kind: 'closed',
            connections,
            seconds: settings.number('seconds'),
            deliveries: { event, text_bytes: settings.number('text') },
          };
          const { floor, entourage } = await alternate(sides, settings.number('rounds'), (side) =>
            ingestRound(rig, load, side, order),
          );
          rows.push({
            event,
            connections,
            'floor/s': medianOf(floor, 'per_second'),
            'entourage/s': medianOf(entourage, 'per_second'),
            ratio: medianRatio(entourage, floor),
            goal: GOALS[event],
            'p50 ms': medianOf(entourage, 'p50'),
            'p95 ms': medianOf(entourage, 'p95'),
            'p99 ms': medianOf(entourage, 'p99'),
            'CPU ms each: node': medianOf(entourage, 'node'),
            PostgreSQL: medianOf(entourage, 'postgres'),
            'floor: node': medianOf(floor, 'node'),
            'PostgreSQL ': medianOf(floor, 'postgres'),
            'WAL kB each': medianOf(entourage, 'wal_kb'),
          });
        }
      printTable(rows);
    }),
};
