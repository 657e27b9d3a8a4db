// Tasks claimed, run and finished per second, beside graphile-worker doing as many jobs that do nothing. The two are not
// the same: a job is a function called in the worker; a run is a prompt built and kept, a signed request to the agent, and
// the agent's report through the API, with an audit event for each step. The ratio says what that costs.
import { makeWorkerUtils } from 'graphile-worker';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { medianOf, medianRatio } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { until } from './rig/rounds.mjs';
import { printTable } from './rig/table.mjs';
import { workOff } from './rig/waiting-tasks.mjs';
import { makeOrganization, makeTeam } from './rig/workspace.mjs';

const CONCURRENCY = 32;

async function entourage(rig, settings) {
  const database = await rig.database('dispatch_entourage');
  const commands = join(rig.directory, 'commands.json');
  await writeFile(commands, JSON.stringify({ nothing: { argv: ['/bin/sh', '-c', 'cat >/dev/null'] } }));
  const api = await rig.service(database, { ENTOURAGE_ROLES: 'api', ENTOURAGE_COMMANDS_FILE: commands });
  const agent = rig.helper('agent');
  const { url } = await agent.ask({ kind: 'listen' });
  const how =
    settings.runtime === 'command'
      ? { runtime: 'command', runtime_config: { command: 'nothing' } }
      : { runtime: 'http', runtime_config: { url } };
  const organization = await makeOrganization(api.url);
  await agent.ask({ kind: 'report', ...organization, post: undefined });
  const teams = [];
  for (let team = 0; team < settings.number('teams'); team += 1)
    teams.push(
      await makeTeam(organization, { slug: `team-${team}`, agents: settings.number('agents'), agent: how }),
    );
  const db = await rig.client(database);
  return async (processes) => {
    const dispatchers = await Promise.all(
      Array.from({ length: processes }, () =>
        rig.service(database, {
          ENTOURAGE_ROLES: 'dispatcher',
          ENTOURAGE_COMMANDS_FILE: commands,
          ENTOURAGE_MAX_CONCURRENT_RUNS: String(CONCURRENCY),
        }),
      ),
    );
    const result = await workOff(db, teams, settings.number('tasks'));
    await Promise.all(dispatchers.map((one) => one.stop()));
    return result;
  };
}

async function graphile(rig, settings) {
  const database = await rig.database('dispatch_graphile');
  const utils = await makeWorkerUtils({ connectionString: database });
  await utils.migrate();
  await utils.release();
  const db = await rig.client(database);
  const tasks = settings.number('tasks');
  return async (processes) => {
    const env = { GRAPHILE_URL: database, GRAPHILE_CONCURRENCY: String(CONCURRENCY) };
    const workers = Array.from({ length: processes }, () => rig.helper('graphile', env));
    await Promise.all(workers.map((worker) => worker.ask({ kind: 'start' })));
    await db.query('BEGIN');
    await db.query(
      `SELECT count(graphile_worker.add_job('noop', json_build_object('n', n))) FROM generate_series(1, $1::int) n`,
      [tasks],
    );
    await db.query('ANALYZE graphile_worker._private_jobs');
    const began = performance.now();
    await db.query('COMMIT');
    const left = 'SELECT count(*)::int AS left FROM graphile_worker._private_jobs';
    await until(async () => (await db.query(left)).rows[0].left === 0, 'the jobs to be done', {
      every_ms: 10,
    });
    const seconds = (performance.now() - began) / 1000;
    await Promise.all(workers.map((worker) => worker.ask({ kind: 'stop' })));
    await Promise.all(workers.map((worker) => worker.stop()));
    return { seconds, per_second: tasks / seconds };
  };
}

export default {
  about: `Waiting tasks that come in one commit to teams of idle agents, until the last is finished; ${CONCURRENCY} at once in each process, on both sides.`,
  options: { tasks: '10000', dispatchers: '1,2,4', teams: '8', agents: '16', runtime: 'http' },
  run: (settings) =>
    withRig(async (rig) => {
      const sides = { entourage: await entourage(rig, settings), graphile: await graphile(rig, settings) };
      const rows = [];
      for (const processes of settings.numbers('dispatchers')) {
        const results = { entourage: [], graphile: [] };
        for (let round = 0; round < settings.number('rounds'); round += 1)
          for (const [name, side] of Object.entries(sides)) results[name].push(await side(processes));
        rows.push({
          processes,
          tasks: settings.number('tasks'),
          runtime: settings.runtime,
          'entourage/s': medianOf(results.entourage, 'per_second'),
          'graphile-worker/s': medianOf(results.graphile, 'per_second'),
          ratio: medianRatio(results.entourage, results.graphile),
        });
      }
      printTable(rows);
    }),
};
