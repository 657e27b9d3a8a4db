// What a past of millions of deliveries and tasks costs: ingest, the list of deliveries and the claim, beside a database
// without one, in turn. Then the disk that a delivery takes, and the memory of the process.
import { statfs } from 'node:fs/promises';
import { ingestRound } from './ingest.mjs';
import { medianOf, medianRatio } from './rig/numbers.mjs';
import { loadOldRows } from './rig/old-rows.mjs';
import { withRig } from './rig/rig.mjs';
import { alternate } from './rig/rounds.mjs';
import { printTable } from './rig/table.mjs';
import { memory } from './rig/usage.mjs';
import { workOff } from './rig/waiting-tasks.mjs';
import { makeOrganization, makeTeam, makeWebhook } from './rig/workspace.mjs';

const GOAL = 0.9;
/** Room asked for before anything is loaded; the table of disk use says what it really takes. */
const BYTES_EACH = 12_000;

const SIZES = `
  SELECT CASE WHEN relname LIKE 'deliveries%' THEN 'deliveries' ELSE relname END AS name,
    sum(pg_total_relation_size(oid))::float8 AS bytes
  FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND relname ~ '^(deliveries_|delivery_keys$|tasks$|task_sources$|task_events$|agent_runs$)'
  GROUP BY 1`;

/** One team whose agents pull gets the issues, another whose agents the dispatcher starts gets the waiting tasks. */
async function startSide(rig, name) {
  const database = await rig.database(`growth_${name}`);
  const process = await rig.service(database);
  const rest = await memory(process.pid);
  const agent = rig.helper('agent');
  const { url } = await agent.ask({ kind: 'listen' });
  const organization = await makeOrganization(process.url);
  await agent.ask({ kind: 'report', url: process.url, key: organization.key });
  const pulling = await makeTeam(organization, { slug: 'pulling' });
  const http = { runtime: 'http', runtime_config: { url } };
  const started = await makeTeam(organization, { slug: 'started', agents: 32, agent: http });
  const webhook = await makeWebhook({ ...organization, ...pulling });
  const db = await rig.client(database);
  const team_ids = [pulling.team_id, started.team_id];
  const { rows } = await db.query(
    'SELECT DISTINCT ON (team_id) team_id, id FROM agents WHERE team_id = ANY($1)',
    [team_ids],
  );
  const agent_ids = team_ids.map((team_id) => rows.find((row) => row.team_id === team_id).id);
  return {
    database,
    process,
    rest,
    db,
    started,
    key: organization.key,
    target: webhook.target,
    secret: webhook.secret,
    list: `${process.url}/api/v1/webhooks/${webhook.id}/deliveries?limit=50`,
    owner: { org_id: organization.org_id, team_ids, agent_ids, webhook_id: webhook.id },
  };
}

const sizesOf = async (db) => new Map((await db.query(SIZES)).rows.map(({ name, bytes }) => [name, bytes]));

/** @returns what a row of each table takes, with its indexes and what is kept out of line. */
async function grow(side, from, to, total) {
  const before = await sizesOf(side.db);
  await loadOldRows(side.database, side.db, side.owner, from, to, total);
  const after = await sizesOf(side.db);
  return [...after].map(([table, bytes]) => ({
    table,
    'bytes for each delivery': (bytes - (before.get(table) ?? 0)) / (to - from),
  }));
}

export default {
  about: 'The same work on a database with a past of millions of deliveries and tasks, and on one without.',
  options: { millions: '1,5', tasks: '1000', connections: '32' },
  run: (settings) =>
    withRig(async (rig) => {
      const counts = settings.numbers('millions').map((millions) => Math.round(millions * 1e6));
      const total = Math.max(...counts);
      const { bavail, bsize } = await statfs(rig.directory);
      if (bavail * bsize < total * BYTES_EACH)
        throw new Error(`${total} deliveries need ${Math.ceil((total * BYTES_EACH) / 1e9)} GB of free disk`);
      const load = rig.helper('load');
      const sides = { empty: await startSide(rig, 'empty'), grown: await startSide(rig, 'grown') };
      const seconds = settings.number('seconds');
      const connections = settings.number('connections');
      const order = { kind: 'closed', connections, seconds, deliveries: { event: 'issues' } };
      const measures = {
        'ingest, issues/s': (side) => ingestRound(rig, load, side, order),
        'list of deliveries, pages/s': (side) =>
          load.ask({
            kind: 'closed',
            connections: 8,
            seconds,
            target: side.list,
            headers: { 'x-api-key': side.key },
          }),
        'dispatch, tasks/s': (side) => workOff(side.db, [side.started], settings.number('tasks')),
      };
      const rows = [];
      let disk = [];
      let loaded = 0;
      for (const count of counts) {
        disk = await grow(sides.grown, loaded, count, total);
        loaded = count;
        for (const [what, measure] of Object.entries(measures)) {
          const { empty, grown } = await alternate(sides, settings.number('rounds'), measure);
          rows.push({
            'old deliveries and tasks': count,
            what,
            empty: medianOf(empty, 'per_second'),
            grown: medianOf(grown, 'per_second'),
            ratio: medianRatio(grown, empty),
            goal: GOAL,
            'p95 ms empty': medianOf(empty, 'p95'),
            'p95 ms grown': medianOf(grown, 'p95'),
          });
        }
      }
      printTable(rows);
      console.log('\nDisk for each delivery of an issue that was worked on once:\n');
      const each = disk.reduce((sum, row) => sum + row['bytes for each delivery'], 0);
      printTable([...disk, { table: 'together', 'bytes for each delivery': each }]);
      console.log('\nResident memory of the process, MiB (all roles in one):\n');
      const used = await Promise.all(
        Object.entries(sides).map(async ([side, { process, rest }]) => {
          const { now, most } = await memory(process.pid);
          return { side, 'at rest': rest.now, 'after the load': now, 'the most': most };
        }),
      );
      printTable(used);
    }),
};
