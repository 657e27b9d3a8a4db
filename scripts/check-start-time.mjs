// Measures `npm start` on a machine that does nothing else: under 15 s the first time, under 5 s later.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const directory = await mkdtemp(join(tmpdir(), 'entourage-start-'));
await chmod(directory, 0o711);
const inherited = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(ENTOURAGE_|DATABASE_)/.test(name)),
);

/** Starts, waits for the address, stops with Ctrl-C. */
async function secondsToListen() {
  const began = performance.now();
  const child = spawn('npm', ['start'], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...inherited, PORT: '0', ENTOURAGE_DATA_DIR: join(directory, 'data') },
  });
  const ended = new Promise((done) => child.once('close', done));
  let said = '';
  const seconds = await new Promise((done, fail) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      if (said.includes('listening on')) done((performance.now() - began) / 1000);
    });
    void ended.then(() => fail(new Error(said)));
  });
  process.kill(-Number(child.pid), 'SIGINT');
  await ended;
  return seconds;
}

try {
  for (const [name, limit] of [
    ['first', 15],
    ['second', 5],
  ]) {
    const seconds = await secondsToListen();
    console.log(`${name} start: ${seconds.toFixed(1)} s (limit ${limit} s)`);
    if (seconds > limit) process.exitCode = 1;
  }
} finally {
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}
