// The main job from nothing to a finished agent run: `npm run demo`. It starts a service of its own, or uses the one at
// ENTOURAGE_URL, where it plays the agent itself. `npm run demo -- --team` shows a whole team instead: see demo-team.mjs.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { client, makeTeam, say, sendIssue } from './demo-client.mjs';
import { startService } from './demo-service.mjs';
import { demonstrateTeam, prepareTeam } from './demo-team.mjs';

const RUN_SECONDS = 60;

/** Who works: an engineer with a key of its own. */
async function makeEngineer(url, runtime) {
  const { org, team, user, api } = await makeTeam(url);
  const agent = await user.post(`/teams/${team.id}/agents`, { name: 'grace', role: 'engineer', ...runtime });
  say(`agent ${agent.name}, runtime ${agent.runtime}, ${agent.status}`);
  const agentKey = await user.post(`/auth/orgs/${org.id}/api-keys`, {
    name: 'grace',
    scopes: ['agent'],
    agent_id: agent.id,
  });
  return { org, team, agent, api, agentApi: client(url, { 'X-API-Key': agentKey.key }) };
}

/** What an agent with the runtime `pull` does: ask for work, report, finish. */
async function playAgent(agentApi, agent) {
  const { run } = await agentApi.post(`/agents/${agent.id}/claim`, { wait_seconds: 20 });
  if (run === null) throw new Error('the agent was given no work');
  say(`agent claimed run ${run.id}: task #${run.task.id}, a prompt of ${run.prompt.length} characters`);
  const { fencing_token } = run;
  await agentApi.post(`/runs/${run.id}/heartbeat`, { fencing_token, progress: 'reproducing it' });
  await agentApi.post(`/runs/${run.id}/finish`, { fencing_token, status: 'succeeded', summary: 'Mended.' });
}

/** Prints every change of the task and its run until the run has ended. */
async function follow(api, taskId) {
  let shown = '';
  for (const deadline = Date.now() + RUN_SECONDS * 1000; Date.now() < deadline; await delay(100)) {
    const task = await api.get(`/tasks/${taskId}`);
    const [run] = await api.get(`/tasks/${taskId}/runs`);
    const state = `task #${task.id} ${task.status}, ${run ? `run ${run.attempt} ${run.status}` : 'no run yet'}`;
    if (state !== shown) say(`${state} (priority ${task.priority})`);
    shown = state;
    if (run?.finished_at) return run;
  }
  throw new Error(`no run of task #${taskId} ended within ${RUN_SECONDS} s`);
}

async function demonstrate(url, runtime) {
  const { org, team, agent, api, agentApi } = await makeEngineer(url, runtime);
  const webhook = await api.post('/webhooks', {
    org_id: org.id,
    team_id: team.id,
    name: 'demo',
    events: ['issues'],
    config: { auto_assign: true, auto_assign_role: 'engineer' },
  });
  say(`webhook listens to ${webhook.events.join(', ')}; its secret was shown once`);
  const deliveryId = await sendIssue(api, webhook);
  const { task_id } = await api.get(`/webhooks/${webhook.id}/deliveries/${deliveryId}`);
  if (!task_id) throw new Error('the delivery made no task');
  const [run] = await Promise.all([
    follow(api, task_id),
    runtime.runtime === 'pull' ? playAgent(agentApi, agent) : undefined,
  ]);
  const { output } = await api.get(`/runs/${run.id}`);
  for (const line of (output ?? '').trim().split('\n').filter(Boolean)) say(`  | ${line}`);
  const events = await api.get(`/tasks/${task_id}/events`);
  say(`audit trail: ${events.map((event) => event.type).join(' → ')}`);
  if (run.status !== 'succeeded') throw new Error(`the run ${run.status}: ${run.error ?? 'no reason given'}`);
  say('done: a GitHub issue became work that an agent has finished');
}

/** The program that plays the agent. */
const prepareAgent = () => ({
  commands: {
    'demo-agent': { argv: ['/bin/sh', join(import.meta.dirname, 'demo-agent.sh')], timeout_seconds: 60 },
  },
});

const isTeam = process.argv.includes('--team');
const given = process.env.ENTOURAGE_URL?.replace(/\/+$/, '');
let service;
const stop = async () => {
  const running = service;
  service = undefined;
  await running?.stop();
};
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void stop().finally(() => process.exit(1)));
try {
  if (isTeam && given !== undefined)
    throw new Error('--team needs a service of its own: it puts programs and a repository beside it');
  if (given === undefined) service = await startService(say, isTeam ? prepareTeam : prepareAgent);
  if (isTeam) await demonstrateTeam(service);
  else
    await demonstrate(
      given ?? service.url,
      given === undefined
        ? { runtime: 'command', runtime_config: { command: 'demo-agent' } }
        : { runtime: 'pull' },
    );
} catch (error) {
  console.error(`the demo failed: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  if (service) console.error(service.printed());
  process.exitCode = 1;
} finally {
  await stop();
}
