// Signed deliveries acknowledged per second, against the floor measured in the same run: bare node:http + HMAC + one
// durable INSERT of the same body through pg. Alternating rounds, medians. Prints a table.
//   node bench/ingest.mjs [--connections 32] [--seconds 5] [--rounds 3] [--event issues|push]
import autocannon from 'autocannon';
import { fork } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../dist/src/database/embedded-postgres.js';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    event: { type: 'string', default: 'issues' },
  },
});

const children = [];

/** @returns the address the program says it listens on. */
async function start(program, env) {
  const child = fork(program, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // BENCH_NODE_ARGS='--cpu-prof --cpu-prof-dir=/tmp/prof' shows where the service's time goes.
    execArgv: program.startsWith('dist')
      ? (process.env.BENCH_NODE_ARGS ?? '').split(' ').filter(Boolean)
      : [],
  });
  children.push(child);
  let said = '';
  return new Promise((done, fail) => {
    child.once('exit', () => fail(new Error(`${program} ended:\n${said}`)));
    child.stderr.on('data', (chunk) => {
      said += chunk;
      const url = /listening on (http:\S+);/.exec(said)?.[1];
      if (url !== undefined) done(url);
    });
    child.once('exit', (code, signal) => {
      if (signal !== 'SIGTERM' && code !== 0)
        console.error(`${program} ended (${code ?? signal}):\n${said.slice(-2000)}`);
    });
  });
}

/** A webhook whose issues become tasks that are assigned: the full path. */
async function registerWebhook(url) {
  const post = async (path, body, token) => {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const account = { email: 'bench@example.com', name: 'Bench', password: randomUUID() };
  await post('/auth/register', account);
  const { access_token } = await post('/auth/login', account);
  const org = await post('/orgs', { name: 'Bench', slug: 'bench' }, access_token);
  const team = await post(`/orgs/${org.id}/teams`, { name: 'Bench', slug: 'bench' }, access_token);
  for (let index = 0; index < 4; index += 1)
    await post(`/teams/${team.id}/agents`, { name: `agent-${index}` }, access_token);
  const webhook = await post(
    '/webhooks',
    {
      org_id: org.id,
      team_id: team.id,
      name: 'bench',
      config: { auto_assign: true },
      events: ['issues', 'push'],
    },
    access_token,
  );
  return { target: `${url}/api/v1/webhooks/${webhook.id}/receive`, secret: webhook.secret };
}

const text = 'The quick brown fox jumps over the lazy dog. '.repeat(230);
const repository = {
  id: 1296269,
  full_name: 'octo/hello',
  html_url: 'https://github.com/octo/hello',
  private: true,
  description: text.slice(0, 1500),
};
let number = 0;

/** About 12 kB, never twice the same. */
function nextBody() {
  number += 1;
  const sender = { login: 'octocat', type: 'User' };
  return JSON.stringify(
    values.event === 'push'
      ? { ref: 'refs/heads/main', after: randomUUID(), commits: [{ message: text }], repository, sender }
      : {
          action: 'opened',
          issue: {
            id: number,
            number,
            title: `Issue ${number}`,
            body: text,
            html_url: `https://github.com/octo/hello/issues/${number}`,
            labels: [{ name: 'bug' }],
            user: sender,
            author_association: 'NONE',
            state: 'open',
            updated_at: '2026-01-01T00:00:00Z',
          },
          repository,
          sender,
        },
  );
}

/** CPU milliseconds that processes have used so far, of this process's children and theirs, by kind. Linux only. */
async function cpu() {
  const used = { node: 0, postgres: 0 };
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    if (children.some((child) => child.pid === Number(pid))) used.node += ticks * 10;
    else if (postmasters.has(Number(fields[1])) || postmasters.has(Number(pid))) used.postgres += ticks * 10;
  }
  return used;
}

async function round({ target, secret }) {
  const before = await cpu();
  const result = await autocannon({
    url: target,
    method: 'POST',
    connections: Number(values.connections),
    duration: Number(values.seconds),
    setupClient: (client) => {
      const next = () => {
        const body = nextBody();
        client.setHeadersAndBody(
          {
            'content-type': 'application/json',
            'x-github-event': values.event,
            'x-github-delivery': randomUUID(),
            'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
          },
          body,
        );
      };
      next();
      client.on('response', next);
    },
  });
  if (result.non2xx > 0 || result.errors > 0)
    console.error(`  ${result.non2xx} answers not 2xx, ${result.errors} errors`);
  const { p50, p97_5, p99 } = result.latency;
  const after = await cpu();
  const each = (kind) => (after[kind] - before[kind]) / result['2xx'];
  return {
    rate: result['2xx'] / result.duration,
    p50,
    p97_5,
    p99,
    node: each('node'),
    postgres: each('postgres'),
  };
}

const postmasters = new Set();
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const directory = await mkdtemp(join(tmpdir(), 'entourage-bench-'));
await chmod(directory, 0o711); // Started by root, PostgreSQL runs as a user of its own.
const postgres = await startEmbeddedPostgres({ directory, password: 'bench' });
try {
  postmasters.add(
    Number((await readFile(join(directory, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]),
  );
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query('CREATE DATABASE floor');
  await admin.end();
  const secret = 'whsec_bench_bench_bench_bench_bench';
  const floorUrl = postgres.url.replace(/\/entourage$/, '/floor');
  const floor = {
    target: await start('bench/floor.mjs', { FLOOR_URL: floorUrl, FLOOR_SECRET: secret }),
    secret,
  };
  const service = await registerWebhook(
    await start('dist/src/main.js', {
      DATABASE_URL: postgres.url,
      PORT: '0',
      ENTOURAGE_JWT_SECRET: 'bench-bench-bench-bench-bench-bench-bench',
      ENTOURAGE_ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
      ENTOURAGE_LOG_LEVEL: 'warn',
      ENTOURAGE_RATE_LIMIT_PER_MINUTE: '0',
    }),
  );
  const size = Buffer.byteLength(nextBody());
  console.log(
    `${cpus().length} x ${cpus()[0].model}, node ${process.version}: ${values.connections} connections, ${values.event}, ${size} bytes`,
  );
  const sides = { floor, entourage: service };
  const rounds = { floor: [], entourage: [] };
  for (const side of Object.values(sides)) await round(side);
  for (let index = 0; index < Number(values.rounds); index += 1)
    for (const [name, side] of Object.entries(sides)) rounds[name].push(await round(side));
  const row = (name) => ({
    'per second': Math.round(median(rounds[name].map(({ rate }) => rate))),
    'p50 ms': median(rounds[name].map(({ p50 }) => p50)),
    'p97.5 ms': median(rounds[name].map(({ p97_5 }) => p97_5)),
    'p99 ms': median(rounds[name].map(({ p99 }) => p99)),
    'CPU ms each, node': Number(median(rounds[name].map(({ node }) => node)).toFixed(2)),
    'and postgres': Number(median(rounds[name].map(({ postgres }) => postgres)).toFixed(2)),
  });
  console.table({ floor: row('floor'), entourage: row('entourage') });
  const ratio = median(rounds.entourage.map(({ rate }, index) => rate / rounds.floor[index].rate));
  console.log(`ratio to the floor: ${ratio.toFixed(2)}`);
} finally {
  for (const child of children)
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
