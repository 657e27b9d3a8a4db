// The main job from nothing to a finished agent run: `npm run demo`. It starts a service of its own, or uses the one at
// ENTOURAGE_URL, where it plays the agent itself.
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startService } from './demo-service.mjs';

const RUN_SECONDS = 60;
const began = Date.now();
const say = (line) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${line}`);

/** The API, called with these credentials; anything but 2xx ends the demo. */
function client(url, credentials = {}) {
  const call = async (path, options) => {
    const { method = 'GET' } = options;
    const answer = await fetch(`${url}/api/v1${path}`, options);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  };
  return {
    get: (path) => call(path, { headers: credentials }),
    /** `body` is sent as it is when it is text, as JSON otherwise. */
    post: (path, body, headers = {}) =>
      call(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...credentials, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}

/** Register, log in, and set up who works: an organization with a team, an agent and a key. */
async function makeAccounts(url, runtime) {
  const api = client(url);
  const mark = randomBytes(4).toString('hex');
  const account = {
    email: `demo-${mark}@example.com`,
    name: 'Demo',
    password: randomBytes(12).toString('hex'),
  };
  await api.post('/auth/register', account);
  const { access_token } = await api.post('/auth/login', account);
  const user = client(url, { Authorization: `Bearer ${access_token}` });
  say(`registered and logged in as ${account.email}`);
  const org = await user.post('/orgs', { name: 'Demo', slug: `demo-${mark}` });
  const team = await user.post(`/orgs/${org.id}/teams`, { name: 'Keepers', slug: 'keepers' });
  say(`organization ${org.slug} with team ${team.slug}, which has its manager agent already`);
  const agent = await user.post(`/teams/${team.id}/agents`, { name: 'grace', role: 'engineer', ...runtime });
  say(`agent ${agent.name}, runtime ${agent.runtime}, ${agent.status}`);
  const { key, prefix } = await user.post(`/auth/orgs/${org.id}/api-keys`, { name: 'demo' });
  say(`API key ${prefix}…, used from here on`);
  const agentKey = await user.post(`/auth/orgs/${org.id}/api-keys`, {
    name: 'grace',
    scopes: ['agent'],
    agent_id: agent.id,
  });
  return {
    org,
    team,
    agent,
    api: client(url, { 'X-API-Key': key }),
    agentApi: client(url, { 'X-API-Key': agentKey.key }),
  };
}

/** Sends GitHub's own kind of request: these bytes, signed. */
async function sendIssue(api, webhook) {
  const body = await readFile(
    join(import.meta.dirname, '../test/fixtures/github/issues.opened.json'),
    'utf8',
  );
  const signature = createHmac('sha256', webhook.secret).update(body).digest('hex');
  const guid = randomUUID();
  const answer = await api.post(`/webhooks/${webhook.id}/receive`, body, {
    'X-GitHub-Event': 'issues',
    'X-GitHub-Delivery': guid,
    'X-Hub-Signature-256': `sha256=${signature}`,
    'User-Agent': 'GitHub-Hookshot/demo',
  });
  const { title, labels } = JSON.parse(body).issue;
  say(
    `sent issues.opened "${title}" [${labels.map((label) => label.name).join(', ')}], ${body.length} bytes, signed`,
  );
  for (const action of answer.actions) say(`  → ${action}`);
  return answer.delivery_id;
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
  const { org, team, agent, api, agentApi } = await makeAccounts(url, runtime);
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
  if (given === undefined) service = await startService(say);
  const runtime =
    given === undefined
      ? { runtime: 'command', runtime_config: { command: 'demo-agent' } }
      : { runtime: 'pull' };
  await demonstrate(given ?? service.url, runtime);
} catch (error) {
  console.error(`the demo failed: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  if (service) console.error(service.printed());
  process.exitCode = 1;
} finally {
  await stop();
}
