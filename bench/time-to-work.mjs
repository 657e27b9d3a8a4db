// From a webhook's arrival to the start of the agent's run, while issues come at a steady rate.
import { setTimeout as delay } from 'node:timers/promises';
import { notifyRoundTrip } from './rig/notify-round-trip.mjs';
import { medianOf, summary } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { until } from './rig/rounds.mjs';
import { printTable } from './rig/table.mjs';
import { makeWebhook, makeWorkspace } from './rig/workspace.mjs';

const GOALS = { p50: 15, p95: 50 };

/** Deliveries carry the moment of their first byte, runs that of their claim, both from this machine's clock. */
const TIMES = `
  SELECT r.id, extract(epoch FROM r.started_at)::float8 * 1000 AS started_at,
    extract(epoch FROM d.created_at)::float8 * 1000 AS received_at
  FROM deliveries d JOIN agent_runs r ON r.task_id = d.task_id AND r.attempt = 1
  WHERE d.created_at >= $1`;

async function measure({ db, load, agent, webhook, order, roundTrip }) {
  const { rows } = await db.query('SELECT clock_timestamp() AS at');
  const began = rows[0].at;
  const endRoundTrip = roundTrip();
  const sent = await load.ask({
    ...order,
    target: webhook.target,
    deliveries: { event: 'issues', secret: webhook.secret },
  });
  const notify = await endRoundTrip();
  const runs = await until(
    async () => {
      const found = (await db.query(TIMES, [began])).rows;
      return found.length >= sent.count && found;
    },
    'every issue to be worked on',
    { every_ms: 100, within_s: 120 },
  );
  const idle = `SELECT FROM agents WHERE status = 'working' LIMIT 1`;
  await until(async () => (await db.query(idle)).rowCount === 0, 'the agents to be idle again');
  const { starts, refused } = await agent.ask({ kind: 'result' });
  if (sent.refused + refused > 0)
    console.error(`  ${sent.refused} deliveries not acknowledged, ${refused} reports of agents refused`);
  const called = new Map(starts);
  const started = summary(runs.map((run) => run.started_at - run.received_at));
  const call = summary(runs.map((run) => called.get(run.id) - run.received_at));
  return {
    sent: sent.per_second,
    p50: started.p50,
    p95: started.p95,
    call_p50: call.p50,
    call_p95: call.p95,
    notify_p50: notify.p50,
    notify_p95: notify.p95,
  };
}

/** One process that does everything, or an api and a dispatcher apart. */
async function startShape(rig, database, shape) {
  if (shape === 'one') return rig.service(database);
  const api = await rig.service(database, { ENTOURAGE_ROLES: 'api' });
  await rig.service(database, { ENTOURAGE_ROLES: 'dispatcher' });
  return api;
}

export default {
  about:
    "Webhook received → run started (claimed in the database), and → the agent's URL called; beside it PostgreSQL's own NOTIFY round trip, idle and under that load.",
  options: { rates: '50,200', agents: '200', 'work-ms': '100', shapes: 'one,apart' },
  run: (settings) =>
    withRig(async (rig) => {
      const load = rig.helper('load');
      const rows = [];
      for (const shape of settings.list('shapes')) {
        const database = await rig.database(`work_${shape}`);
        const service = await startShape(rig, database, shape);
        const agent = rig.helper('agent', { AGENT_WORK_MS: settings['work-ms'] });
        const { url } = await agent.ask({ kind: 'listen' });
        const workspace = await makeWorkspace(service.url, {
          agents: settings.number('agents'),
          agent: { runtime: 'http', runtime_config: { url } },
        });
        await agent.ask({ kind: 'report', url: service.url, key: workspace.key });
        const webhook = await makeWebhook(workspace);
        const db = await rig.client(database);
        const roundTrip = await notifyRoundTrip(rig, database);
        const endIdle = roundTrip();
        await delay(1000);
        const idle = await endIdle();
        for (const per_second of settings.numbers('rates')) {
          const order = { kind: 'paced', per_second, seconds: settings.number('seconds') };
          const rounds = [];
          for (let round = 0; round <= settings.number('rounds'); round += 1)
            rounds.push(await measure({ db, load, agent, webhook, order, roundTrip }));
          rounds.shift(); // It warms up.
          rows.push({
            processes: shape,
            'issues/s': per_second,
            'acknowledged/s': medianOf(rounds, 'sent'),
            'run p50 ms': medianOf(rounds, 'p50'),
            'goal p50': GOALS.p50,
            'run p95 ms': medianOf(rounds, 'p95'),
            'goal p95': GOALS.p95,
            'called p50 ms': medianOf(rounds, 'call_p50'),
            'called p95 ms': medianOf(rounds, 'call_p95'),
            'NOTIFY idle p50 ms': idle.p50,
            'under load p50 ms': medianOf(rounds, 'notify_p50'),
            'p95 ms': medianOf(rounds, 'notify_p95'),
          });
        }
      }
      printTable(rows);
    }),
};
