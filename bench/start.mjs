// From the start of the process to its first answered request.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { medianOf } from './rig/numbers.mjs';
import { withRig } from './rig/rig.mjs';
import { printTable } from './rig/table.mjs';
import { memory } from './rig/usage.mjs';

const MAIN = join(import.meta.dirname, '../dist/src/main.js');
const BARE = `require('node:http').createServer((_, answer) => answer.end('{}')).listen(process.env.PORT, '127.0.0.1')`;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const answers = (port, path) =>
  new Promise((done) => {
    request({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      answer.resume();
      done(answer.statusCode === 200);
    })
      .on('error', () => done(false))
      .end();
  });

/** Asks every few milliseconds from the start on, as a load balancer would only sooner, and stops it again. */
async function startOnce(args, env, cwd) {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, args, {
    cwd,
    env: { PATH: process.env.PATH, PORT: String(port), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  while (!(await answers(port, '/api/v1/health/live'))) {
    if (child.exitCode !== null) throw new Error(`it ended instead of starting:\n${said}`);
    await new Promise((done) => setTimeout(done, 3));
  }
  const ms = performance.now() - began;
  const { now } = await memory(child.pid);
  child.kill('SIGTERM');
  await once(child, 'exit');
  return { ms, now };
}

export default {
  about:
    'Process start → first answered request. Cold is without a database or its schema; the files of Node.js and the service are in the page cache either way. Floor: a bare node:http server.',
  options: {},
  run: (settings) =>
    withRig(async (rig) => {
      const secrets = {
        ENTOURAGE_JWT_SECRET: 'bench-bench-bench-bench-bench-bench-bench',
        ENTOURAGE_ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
        ENTOURAGE_LOG_PRETTY: 'false',
      };
      const rounds = { bare: [], own_cold: [], own_warm: [], cold: [], warm: [] };
      for (let round = 0; round < settings.number('rounds'); round += 1) {
        const data = {
          ENTOURAGE_DATA_DIR: join(rig.directory, `data-${round}`),
          ENTOURAGE_LOG_PRETTY: 'false',
        };
        const url = { ...secrets, DATABASE_URL: await rig.database(`start_${round}`) };
        const start = async (name, args, env) => rounds[name].push(await startOnce(args, env, rig.directory));
        await start('bare', ['-e', BARE], {});
        await start('cold', [MAIN], data);
        await start('warm', [MAIN], data);
        await start('own_cold', [MAIN], url);
        await start('own_warm', [MAIN], url);
      }
      const bare = medianOf(rounds.bare, 'ms');
      const row = (start, name) => ({
        start,
        ms: medianOf(rounds[name], 'ms'),
        'times the floor': medianOf(rounds[name], 'ms') / bare,
        'memory then, MiB': medianOf(rounds[name], 'now'),
      });
      printTable([
        row('floor', 'bare'),
        row('embedded PostgreSQL, cold: makes it, migrates', 'cold'),
        row('embedded PostgreSQL, warm: starts it', 'warm'),
        row('PostgreSQL that runs, cold: migrates', 'own_cold'),
        row('PostgreSQL that runs, warm', 'own_warm'),
      ]);
    }),
};
