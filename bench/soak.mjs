// npm run soak -- [--minutes 2] [--per-second 4]: everything the service does, for a while, at a moderate pace. Ends with 1
// when memory, files or connections grew, something is left over, or something that was acknowledged is missing.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { withRig } from './rig/rig.mjs';
import { machine, printTable } from './rig/table.mjs';
import { makeOrganization, makeTeam, makeWebhook } from './rig/workspace.mjs';
import { mcpAgent, pullAgent, reader, Sender } from './soak/callers.mjs';
import { leftovers, lost } from './soak/leftovers.mjs';
import { judge, takeSample } from './soak/samples.mjs';
import { Tally } from './soak/tally.mjs';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '2' }, 'per-second': { type: 'string', default: '4' } },
});
const MINUTES = Number(values.minutes);
const PER_SECOND = Number(values['per-second']);
const SAMPLE_MS = 1_000;
/** How many samples there are to one that looks at the heap. */
const HEAP_EVERY = 5;
/** For work that is under way when the load ends. */
const END_MS = 60_000;
const POOL = 10;
const HTTP_AGENTS = 10;
const WORK_MS = '200';
/** A reserved port that nobody listens on, and that the service does not refuse. */
const DEAD_URL = 'http://127.0.0.1:2/';
const EVENTS = ['task.created', 'task.status_changed', 'run.finished'];

async function setUp(rig) {
  const database = await rig.database('soak');
  const service = await rig.service(database, {
    ENTOURAGE_DB_POOL_SIZE: String(POOL),
    // What an agent could not report is begun anew before the look at what is left over.
    ENTOURAGE_RUN_LEASE_SECONDS: '15',
    NODE_OPTIONS: `--import=${new URL('./soak/collect.mjs', import.meta.url).href}`,
  });
  const organization = await makeOrganization(service.url, 'soak');
  const agent = rig.helper('agent', { AGENT_WORK_MS: WORK_MS });
  const { url } = await agent.ask({ kind: 'listen' });
  const { url: api, key, post, org_id } = organization;
  await agent.ask({ kind: 'report', url: api, key });
  const called = await makeTeam(organization, {
    slug: 'called',
    agents: HTTP_AGENTS,
    agent: { runtime: 'http', runtime_config: { url } },
  });
  const agents = [];
  const teams = [called];
  for (const kind of ['rest', 'mcp']) {
    const team = await makeTeam(organization, { slug: kind, agents: 0 });
    teams.push(team);
    for (const name of [`${kind}-1`, `${kind}-2`]) {
      const { id: agent_id } = await post(`/teams/${team.team_id}/agents`, { name, runtime: 'pull' });
      const made = await post(`/auth/orgs/${org_id}/api-keys`, { name, agent_id, scopes: ['agent'] });
      agents.push({ kind, url: api, agent_id, key: made.key });
    }
  }
  const receiver = rig.helper('receiver');
  const { urls } = await receiver.ask({ kind: 'listen', receivers: 1, hanging: 0 });
  const healthy = await post('/outbound-webhooks', {
    org_id,
    url: urls[0],
    events: EVENTS,
    rate_per_second: 1_000,
  });
  await post('/outbound-webhooks', { org_id, url: DEAD_URL, events: EVENTS });
  const workspaces = teams.map((team) => ({ ...organization, ...team }));
  const webhooks = [];
  for (const workspace of workspaces) webhooks.push(await makeWebhook(workspace));
  const db = await rig.client(database);
  return { service, db, agent, agents, healthy: healthy.id, workspaces, webhooks };
}

/** Runs `work` that often, however long each takes. */
function pace(per_second, work, running) {
  const timer = setInterval(() => {
    const one = work().finally(() => running.delete(one));
    running.add(one);
  }, 1000 / per_second);
  return () => clearInterval(timer);
}

async function soak(side, tally) {
  const { agents, workspaces, webhooks } = side;
  const senders = webhooks.map((webhook, index) => new Sender(tally, webhook, workspaces[index]));
  const stopped = new AbortController();
  const working = agents.map((agent) =>
    (agent.kind === 'mcp' ? mcpAgent : pullAgent)(tally, agent, stopped.signal),
  );
  const running = new Set();
  const ends = senders.flatMap((sender, index) => [
    pace(PER_SECOND / 3, () => sender.send('issues'), running),
    pace(PER_SECOND / 3, () => sender.send('push'), running),
    pace(PER_SECOND / 12, () => sender.sendAgain(), running),
    pace(PER_SECOND / 12, () => sender.replay(), running),
    pace(PER_SECOND / 3, reader(tally, workspaces[index], webhooks[index]), running),
  ]);
  const samples = [];
  const late = performance.now() + MINUTES * 60_000;
  while (performance.now() < late) {
    samples.push(await takeSample(side, { heap: samples.length % HEAP_EVERY === 0 }));
    await delay(SAMPLE_MS);
  }
  for (const end of ends) end();
  await Promise.all(running);
  const end = performance.now() + END_MS;
  let left = await leftovers(side.db, side.healthy);
  while (left.length > 0 && performance.now() < end) {
    await delay(SAMPLE_MS);
    left = await leftovers(side.db, side.healthy);
  }
  for (const what of left) tally.fault(`left over: ${what}`);
  stopped.abort();
  await Promise.all(working);
  const { refused } = await side.agent.ask({ kind: 'result' });
  for (let count = 0; count < refused; count += 1) tally.note('report of an agent', 'busy');
  for (const fault of await lost(side.db, senders)) tally.fault(fault);
  return samples;
}

console.log(
  `${machine()}\n\n## soak: ${MINUTES} minute(s), ${PER_SECOND} issues and as many pushes a second\n`,
);
const tally = new Tally();
const { rows, faults } = await withRig(async (rig) =>
  // The pool, and the connection that listens.
  judge(await soak(await setUp(rig), tally), POOL + 1),
);
printTable(rows);
console.log();
printTable(tally.rows);
const all = [...tally.faults, ...faults];
for (const fault of all) console.log(`FAULT ${fault}`);
console.log(all.length === 0 ? '\nnothing grew, nothing is left over, nothing is missing' : '');
process.exitCode = all.length === 0 ? 0 : 1;
