// Everybody who calls the service during a soak: GitHub, people, and agents that ask for work over REST and MCP.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { setTimeout as delay } from 'node:timers/promises';
import { nextDelivery } from '../rig/deliver.mjs';

const WAIT_SECONDS = 5;
const KEPT = 200;

/** One request, counted. Gives the parsed answer, or null when there was none to work with. */
async function call(tally, what, url, { accepts = [200], ...request }) {
  try {
    const answer = await fetch(url, request);
    const text = await answer.text();
    tally.note(what, answer.status === 503 ? 'busy' : answer.status);
    if (accepts.includes(answer.status)) return JSON.parse(text);
    if (answer.status !== 503) tally.fault(`${what}: ${answer.status} ${text.slice(0, 300)}`);
  } catch {
    tally.note(what, 'cut');
  }
  return null;
}

/** GitHub. Remembers what was acknowledged, and now and then sends or replays one of the last again. */
export class Sender {
  acknowledged = [];
  issues = 0;
  /** Issues that were sent and not acknowledged. Each may have become a task all the same. */
  unsure = 0;
  #recent = [];

  constructor(tally, webhook, { url, key }) {
    this.tally = tally;
    this.webhook = webhook;
    this.log = `${url}/api/v1/webhooks/${webhook.id}/deliveries`;
    this.key = key;
  }

  async send(event) {
    const delivery = nextDelivery({ event, secret: this.webhook.secret });
    const answer = await this.#post(event, delivery);
    if (answer === null) {
      if (event === 'issues') this.unsure += 1;
      return;
    }
    this.acknowledged.push(delivery.headers['x-github-delivery']);
    if (event === 'issues') this.issues += 1;
    this.#recent.push({ delivery, id: answer.delivery_id });
    if (this.#recent.length > KEPT) this.#recent.shift();
  }

  async sendAgain() {
    const one = this.#some();
    if (one !== undefined) await this.#post('the same again', one.delivery);
  }

  async replay() {
    const one = this.#some();
    if (one === undefined) return;
    const headers = { 'x-api-key': this.key };
    const url = `${this.log}/${one.id}/replay`;
    await call(this.tally, 'replay', url, { method: 'POST', headers, accepts: [200, 409] });
  }

  #some() {
    return this.#recent[Math.floor(Math.random() * this.#recent.length)];
  }

  #post(what, delivery) {
    return call(this.tally, what, this.webhook.target, { method: 'POST', ...delivery });
  }
}

/** A person who looks at things. */
export function reader(tally, { url, key, team_id }, webhook) {
  const paths = [
    `/teams/${team_id}/tasks?limit=50`,
    `/teams/${team_id}/runs?limit=50`,
    `/teams/${team_id}/dispatch-status`,
    `/webhooks/${webhook.id}/deliveries?limit=50`,
    '/health/ready',
    '/health/detailed',
  ];
  let next = 0;
  return async () => {
    const path = paths[next++ % paths.length];
    await call(tally, 'read', `${url}/api/v1${path}`, { headers: { 'x-api-key': key } });
  };
}

/** An agent that asks for work over REST, waiting for it, until it is told to stop. */
export async function pullAgent(tally, { url, agent_id, key }, signal) {
  const post = (what, path, body) =>
    call(tally, what, `${url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      body: JSON.stringify(body),
    });
  while (!signal.aborted) {
    const answer = await post('claim', `/agents/${agent_id}/claim`, { wait_seconds: WAIT_SECONDS });
    const run = answer?.run;
    if (!run) {
      await delay(100);
      continue;
    }
    const { id, fencing_token } = run;
    await post('heartbeat', `/runs/${id}/heartbeat`, { fencing_token, progress: 'at it' });
    await post('finish', `/runs/${id}/finish`, { fencing_token, status: 'succeeded', summary: 'done' });
  }
}

/** The same over MCP, by the client of the official SDK. */
export async function mcpAgent(tally, { url, agent_id, key }, signal) {
  const client = new Client({ name: 'soak', version: '1' });
  const headers = { 'x-api-key': key };
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } }));
  const use = async (name, args) => {
    try {
      const result = await client.callTool({ name, arguments: args });
      tally.note(`mcp ${name}`, result.isError ? 'refused' : 'ok');
      if (result.isError) tally.fault(`mcp ${name}: ${JSON.stringify(result.content).slice(0, 300)}`);
      return result.structuredContent;
    } catch {
      tally.note(`mcp ${name}`, 'cut');
      await delay(500);
      return null;
    }
  };
  while (!signal.aborted) {
    const answer = await use('claim_work', { agent_id, wait_seconds: WAIT_SECONDS });
    if (!answer?.run) continue;
    const { id: run_id, fencing_token, task } = answer.run;
    await use('get_task', { task_id: task.id });
    await use('finish_run', { run_id, fencing_token, summary: 'done' });
  }
  await client.close();
}
