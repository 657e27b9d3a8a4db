// What NOTIFY, and a dispatcher that listens, cost ingest. The service has no switch for it, so PostgreSQL is told to do
// nothing: in one database a function of ours stands before pg_catalog's pg_notify. The statement is still sent and
// answered; what is missing is the notification and the lock of the whole cluster that its commit takes.
import { ingestRound } from './ingest.mjs';
import { medianOf, medianRatio } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { alternate } from './rig/rounds.mjs';
import { printTable } from './rig/table.mjs';
import { makeWebhook, makeWorkspace } from './rig/workspace.mjs';

const GOAL = 0.95;

/** Before the service's first connection: a setting of a database holds for sessions begun after it. */
async function silence(rig, database) {
  const client = await rig.client(database);
  await client.query(
    `CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT WHERE false'`,
  );
  const { rows } = await client.query('SELECT current_database() AS name');
  await client.query(`ALTER DATABASE ${rows[0].name} SET search_path = public, pg_catalog`);
}

/** Whether a listener of the database hears what a service's session would send: the comparison stands on it. */
async function hears(rig, database) {
  const [listener, sender] = [await rig.client(database), await rig.client(database)];
  let heard = false;
  listener.on('notification', () => (heard = true));
  await listener.query('LISTEN bench');
  await sender.query(`SELECT pg_notify('bench', '')`);
  await listener.query('SELECT 1');
  return heard;
}

export default {
  about:
    'Ingest of issues with pg_notify replaced by an empty function; with NOTIFY and no dispatcher; and with a dispatcher that listens and looks at what it hears of (agents pull, so it starts none).',
  options: { connections: '32' },
  run: (settings) =>
    withRig(async (rig) => {
      const load = rig.helper('load');
      const databases = {
        off: await rig.database('notify_off'),
        notify: await rig.database('notify_alone'),
        dispatcher: await rig.database('notify_dispatcher'),
      };
      await silence(rig, databases.off);
      const sides = {};
      for (const [name, database] of Object.entries(databases)) {
        if ((await hears(rig, database)) === (name === 'off'))
          throw new Error(`notifications of ${name} are not as they should be`);
        // Nobody but notifications wakes anybody during a round.
        const quiet = { ENTOURAGE_POLL_SECONDS: '3600' };
        const process = await rig.service(database, { ...quiet, ENTOURAGE_ROLES: 'api' });
        if (name === 'dispatcher') await rig.service(database, { ...quiet, ENTOURAGE_ROLES: 'dispatcher' });
        sides[name] = { process, ...(await makeWebhook(await makeWorkspace(process.url))) };
      }
      const order = {
        kind: 'closed',
        connections: settings.number('connections'),
        seconds: settings.number('seconds'),
        deliveries: { event: 'issues' },
      };
      const rounds = await alternate(sides, settings.number('rounds'), (side) =>
        ingestRound(rig, load, side, order),
      );
      printTable(
        Object.entries(rounds).map(([name, results]) => ({
          notifications: name,
          'per second': medianOf(results, 'per_second'),
          'ratio to off': medianRatio(results, rounds.off),
          goal: name === 'dispatcher' ? GOAL : '',
          'p50 ms': medianOf(results, 'p50'),
          'p95 ms': medianOf(results, 'p95'),
          'CPU ms each: api': medianOf(results, 'node'),
          PostgreSQL: medianOf(results, 'postgres'),
        })),
      );
    }),
};
