// What the disk makes durable: one small row for each commit, by clients that wait for it. The `f` of docs/scaling.md.
import { median } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { printTable } from './rig/table.mjs';

async function commitFor(client, ms) {
  const end = performance.now() + ms;
  const took = [];
  for (let now = performance.now(); now < end; now = performance.now()) {
    await client.query({ name: 'commit', text: 'INSERT INTO commits DEFAULT VALUES' });
    took.push(performance.now() - now);
  }
  return took;
}

export default {
  about: 'Durable commits of one row each, by clients that send the next when the last is on disk.',
  options: { clients: '1,4,16,64' },
  run: (settings) =>
    withRig(async (rig) => {
      const database = await rig.database('commits');
      const db = await rig.client(database);
      await db.query('CREATE TABLE commits (at timestamptz DEFAULT clock_timestamp())');
      const rows = [];
      for (const count of settings.numbers('clients')) {
        const clients = await Promise.all(Array.from({ length: count }, () => rig.client(database)));
        const seconds = settings.number('seconds');
        await Promise.all(clients.map((client) => commitFor(client, 500)));
        const took = (await Promise.all(clients.map((client) => commitFor(client, seconds * 1000)))).flat();
        rows.push({ clients: count, 'commits/s': took.length / seconds, 'p50 ms': median(took) });
      }
      printTable(rows);
    }),
};
