// What every program stands on: a PostgreSQL of its own with its default durability, and processes that are stopped again.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/database/embedded-postgres.js';

const root = join(import.meta.dirname, '../..');
const SECRET = 'whsec_bench_bench_bench_bench_bench';

/** What a service is started with, whatever is measured: no limits that are there against strangers, no log to write. */
const SERVICE = {
  PORT: '0',
  ENTOURAGE_JWT_SECRET: 'bench-bench-bench-bench-bench-bench-bench',
  ENTOURAGE_ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
  ENTOURAGE_LOG_LEVEL: 'warn',
  ENTOURAGE_LOG_PRETTY: 'false',
  ENTOURAGE_RATE_LIMIT_PER_MINUTE: '0',
  ENTOURAGE_LOGIN_RATE_LIMIT_PER_MINUTE: '0',
  ENTOURAGE_OUTBOUND_ALLOW_CIDRS: '127.0.0.0/8',
};

/** Runs `program` on a rig, and takes the rig down again however that ends; Ctrl-C ends the process too. */
export async function withRig(program) {
  const over = new AbortController();
  const interrupted = Promise.race(
    ['SIGINT', 'SIGTERM'].map(async (name) => {
      await once(process, name, { signal: over.signal });
      // What the program still waits for fails now, and nobody looks at it any more.
      process.on('unhandledRejection', () => undefined);
      process.exitCode = 130;
    }),
  );
  const directory = await mkdtemp(join(tmpdir(), 'entourage-bench-'));
  await chmod(directory, 0o711); // Started by root, PostgreSQL runs as a user of its own.
  // BENCH_POSTGRES='shared_preload_libraries=pg_stat_statements' shows where the database's time goes.
  const settings = Object.fromEntries(
    (process.env.BENCH_POSTGRES ?? '')
      .split(' ')
      .filter(Boolean)
      .map((setting) => setting.split('=')),
  );
  const postgres = await startEmbeddedPostgres({ directory, password: 'bench', settings });
  const rig = new Rig(directory, postgres.url);
  try {
    return await Promise.race([program(rig), interrupted]);
  } finally {
    over.abort();
    interrupted.catch(() => undefined);
    await rig.close();
    await postgres.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    if (process.exitCode === 130) process.exit();
  }
}

class Rig {
  #children = [];
  #clients = [];
  #admin;

  constructor(directory, url) {
    this.directory = directory;
    this.url = url;
  }

  /** An empty database. */
  async database(name) {
    const admin = await this.admin();
    await admin.query(`CREATE DATABASE ${name}`);
    return this.url.replace(/\/entourage$/, `/${name}`);
  }

  /** For what concerns the server as a whole. */
  admin() {
    return (this.#admin ??= this.client(this.url));
  }

  async client(url) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async postmaster() {
    const { rows } = await (await this.admin()).query('SHOW data_directory');
    return Number((await readFile(join(rows[0].data_directory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  }

  /** How many bytes of WAL the server has written so far. */
  async wal() {
    const { rows } = await (await this.admin()).query(`SELECT pg_current_wal_lsn() - '0/0' AS bytes`);
    return Number(rows[0].bytes);
  }

  /** The built service on a database, as a process of its own. */
  service(database, settings = {}) {
    return this.#start('dist/src/main.js', { ...SERVICE, DATABASE_URL: database, ...settings });
  }

  /** Bare node:http, an HMAC and one durable INSERT of the body. */
  async floor() {
    const process = await this.#start('bench/rig/floor.mjs', {
      FLOOR_URL: await this.database('floor'),
      FLOOR_SECRET: SECRET,
    });
    return { process, target: process.url, secret: SECRET };
  }

  /** One of the programs beside this file, which is told what to do by messages and answers each with one. */
  helper(name, env = {}) {
    const child = this.#fork(`bench/rig/${name}.mjs`, env);
    const answers = [];
    child.on('message', (message) => answers.shift()?.(message));
    return {
      pid: child.pid,
      stop: () => stop(child),
      ask: (message) =>
        new Promise((done, fail) => {
          const died = () => fail(new Error(`${name} ended:\n${child.said}`));
          child.once('exit', died);
          answers.push((answer) => {
            child.off('exit', died);
            if (answer?.fault === undefined) done(answer);
            else fail(new Error(`${name}: ${answer.fault}`));
          });
          child.send(message, (error) => error && fail(error));
        }),
    };
  }

  async close() {
    await Promise.all(this.#children.map(stop));
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
  }

  #fork(program, env) {
    const child = fork(join(root, program), {
      cwd: this.directory, // Not here: the service is not to read this directory's .env.
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // BENCH_NODE_ARGS='--cpu-prof --cpu-prof-dir=/tmp/prof' shows where the service's time goes.
      execArgv: program.startsWith('dist')
        ? (process.env.BENCH_NODE_ARGS ?? '').split(' ').filter(Boolean)
        : [],
    });
    child.said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (child.said += text));
    child.once('exit', (code, signal) => {
      if (signal !== 'SIGTERM' && signal !== 'SIGINT' && code !== 0)
        console.error(`${program} ended (${code ?? signal}):\n${child.said.slice(-2000)}`);
    });
    this.#children.push(child);
    return child;
  }

  async #start(program, env) {
    const child = this.#fork(program, env);
    const url = await new Promise((done, fail) => {
      child.once('exit', () => fail(new Error(`${program} ended`)));
      child.stderr.on('data', () => {
        const said = /listening on (http:\S+);/.exec(child.said)?.[1];
        if (said !== undefined) done(said);
      });
    });
    return { url, pid: child.pid, stop: () => stop(child) };
  }
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
