// Notifications of outside systems: how many reach them, how soon, and what dead receivers do to the others.
import { setTimeout as delay } from 'node:timers/promises';
import { median, medianOf } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { until } from './rig/rounds.mjs';
import { printTable } from './rig/table.mjs';
import { makeOrganization, makeTeam } from './rig/workspace.mjs';

const RECEIVERS = 10;
const DEAD = 2;
const GOAL = 0.9;
/** A reserved port that nobody listens on, and that the service does not refuse. */
const CLOSED_URL = 'http://127.0.0.1:2/';
const TICK_MS = 20;

/** Each receiver has a team of its own whose tasks it is told of; each event is one notification. */
const TASKS = `
  INSERT INTO tasks (org_id, team_id, title, branch, correlation_id)
  SELECT $1, $2, 'Task ' || n, 'task-' || n, gen_random_uuid() FROM generate_series(1, 500) n RETURNING id::int`;
const EVENTS = `
  INSERT INTO task_events (org_id, task_id, type, data, metadata)
  SELECT $1, id, 'task.assigned', '{}',
    jsonb_build_object('actor', '{"type":"system","id":"bench"}'::jsonb, 'correlation_id', gen_random_uuid())
  FROM unnest($2::bigint[]) id`;

/** From the change to the receiver's answer at the first attempt, of the healthy ones. */
const OUTCOME = `
  SELECT count(*) FILTER (WHERE d.status = 'succeeded')::int AS delivered,
    count(*) FILTER (WHERE d.finished_at IS NULL)::int AS waiting,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY
      extract(epoch FROM a.started_at - d.created_at) * 1000 + a.duration_ms) AS times
  FROM outbound_deliveries d LEFT JOIN outbound_attempts a ON a.delivery_position = d.position AND a.attempt = 1
  WHERE d.position > $1 AND d.webhook_id = ANY($2)`;

/** A service of its own for each state of the receivers: what a breaker has learnt does not reach the next row. */
async function startSide(rig, name, dead) {
  const database = await rig.database(`outbound_${name}`);
  const service = await rig.service(database);
  const receiver = rig.helper('receiver');
  const hanging = dead === 'hang' ? DEAD : 0;
  const { urls } = await receiver.ask({ kind: 'listen', receivers: RECEIVERS, hanging });
  const organization = await makeOrganization(service.url);
  const db = await rig.client(database);
  const receivers = [];
  for (const [place, url] of urls.entries()) {
    const { team_id, org_id } = await makeTeam(organization, { slug: `team-${place}`, agents: 0 });
    const webhook = await organization.post('/outbound-webhooks', {
      org_id,
      team_id,
      url: dead === 'refuse' && place < DEAD ? CLOSED_URL : url,
      events: ['task.assigned'],
      max_concurrency: 20,
      rate_per_second: 10_000,
    });
    const { rows } = await db.query(TASKS, [org_id, team_id]);
    receivers.push({ org_id, webhook_id: webhook.id, tasks: rows.map(({ id }) => id) });
  }
  return { db, receiver, receivers, urls, happened: 0 };
}

/** To the receivers in turn, of other tasks each time: what belongs to one task goes in order. */
async function happen(side, events) {
  const ids = [];
  for (let made = 0; made < events; made += 1) {
    const { tasks } = side.receivers[side.happened % RECEIVERS];
    ids.push(tasks[Math.floor(side.happened / RECEIVERS) % tasks.length]);
    side.happened += 1;
  }
  await side.db.query(EVENTS, [side.receivers[0].org_id, ids]);
}

const lastPosition = async (db) =>
  (await db.query('SELECT coalesce(max(position), 0)::int AS position FROM outbound_deliveries')).rows[0]
    .position;

async function offer(side, { per_second, seconds, within_s }) {
  const { db, receivers, receiver } = side;
  // The healthy ones are the same in every row, those that are never dead.
  const healthy = receivers.slice(DEAD).map(({ webhook_id }) => webhook_id);
  const position = await lastPosition(db);
  await receiver.ask({ kind: 'counts' });
  const began = performance.now();
  for (let happened = 0; happened < per_second * seconds;) {
    const due = Math.min(per_second * seconds, Math.floor(((performance.now() - began) / 1000) * per_second));
    if (due > happened) await happen(side, due - happened);
    happened = due;
    await delay(TICK_MS);
  }
  const took = (performance.now() - began) / 1000;
  const { counts } = await receiver.ask({ kind: 'counts' });
  const look = async () => (await db.query(OUTCOME, [position, healthy])).rows[0];
  const outcome = await until(
    async () => {
      const now = await look();
      return now.waiting === 0 && now;
    },
    'the healthy receivers to be told of everything',
    { every_ms: 100, within_s },
  );
  const drained = (performance.now() - began) / 1000;
  const total = counts.slice(DEAD).reduce((sum, count) => sum + count, 0);
  return {
    // The generator writes one batch at a time: where the trigger is slower than the rate, this is less than was meant.
    offered: ((per_second * seconds) / took) * ((RECEIVERS - DEAD) / RECEIVERS),
    per_second: total / took,
    whole: outcome.delivered / drained,
    p50: outcome.times[0],
    p95: outcome.times[1],
  };
}

/** All at once: how fast the notifier is when it never waits for work. */
async function drain(side, count) {
  const position = await lastPosition(side.db);
  const began = performance.now();
  await happen(side, count);
  await until(
    async () =>
      (await side.db.query(OUTCOME, [position, side.receivers.map(({ webhook_id }) => webhook_id)])).rows[0]
        .waiting === 0,
    'the backlog to be sent',
  );
  return count / ((performance.now() - began) / 1000);
}

async function capacity(rig, side, settings) {
  const count = Math.round(400 * settings.number('seconds'));
  const sender = rig.helper('sender', { SENDER_URL: await rig.database('outbound_floor') });
  const { rows } = await side.db.query('SELECT max(body) AS body FROM outbound_deliveries');
  const rounds = [];
  for (let round = 0; round < settings.number('rounds'); round += 1) {
    const { seconds } = await sender.ask({ kind: 'send', urls: side.urls, count, body: rows[0].body });
    const [floor, entourage] = [count / seconds, await drain(side, count)];
    rounds.push({ floor, entourage, ratio: entourage / floor });
  }
  await sender.stop();
  return {
    notifications: count,
    'floor/s': medianOf(rounds, 'floor'),
    'entourage/s': medianOf(rounds, 'entourage'),
    ratio: medianOf(rounds, 'ratio'),
  };
}

export default {
  about: `Notifications to ${RECEIVERS} receivers. Rows are the ${RECEIVERS - DEAD} that are never dead; of the other ${DEAD}, all are well, or refuse connections, or never answer. Floor: a signed POST and one durable INSERT each.`,
  options: { offered: '200,1000' },
  run: (settings) =>
    withRig(async (rig) => {
      const sides = {
        none: await startSide(rig, 'none', null),
        refuse: await startSide(rig, 'refuse', 'refuse'),
        hang: await startSide(rig, 'hang', 'hang'),
      };
      const rows = [];
      for (const per_second of settings.numbers('offered')) {
        const order = { per_second, seconds: settings.number('seconds'), within_s: 120 };
        const results = { none: [], refuse: [], hang: [] };
        await offer(sides.none, order); // It warms up; the others' breakers are to be met as they come.
        for (let round = 0; round < settings.number('rounds'); round += 1)
          for (const [name, side] of Object.entries(sides)) results[name].push(await offer(side, order));
        for (const [name, rounds] of Object.entries(results))
          rows.push({
            'offered/s': per_second,
            dead: name === 'none' ? 'none' : `${DEAD} of ${RECEIVERS}: ${name}`,
            'offered to healthy/s': medianOf(rounds, 'offered'),
            'arrived meanwhile/s': medianOf(rounds, 'per_second'),
            'until all arrived/s': medianOf(rounds, 'whole'),
            ratio: median(rounds.map((round, index) => round.whole / results.none[index].whole)),
            goal: GOAL,
            'p50 ms': medianOf(rounds, 'p50'),
            'p95 ms': medianOf(rounds, 'p95'),
          });
      }
      printTable(rows);
      console.log('\nA backlog that came in one commit, all receivers well:\n');
      printTable([await capacity(rig, sides.none, settings)]);
    }),
};
