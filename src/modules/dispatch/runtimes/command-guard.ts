/**
 * A process of its own between the dispatcher and the program it starts. It lives as long as the dispatcher holds its
 * standard input and keeps renewing the lease, and takes the program's whole process group with it when that ends:
 * also when the dispatcher dies by `kill -9`, hangs, or is stopped. So whoever gets the task next is alone with it.
 *
 * Orders come as JSON lines on standard input, reports go as JSON lines to descriptor 3; the program's output goes
 * straight to the dispatcher. The file imports nothing of the service: it starts fast, and as TypeScript in tests.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface StartOrder {
  order: 'start';
  run_id: string;
  /** Runs of the same task before this one: should any process of theirs be left here, it is killed first. */
  earlier_run_ids: string[];
  argv: string[];
  env: Record<string, string>;
  cwd: string;
  prompt: string;
  lease_ms: number;
  /** Between SIGTERM and SIGKILL. */
  grace_ms: number;
}

export type GuardOrder =
  StartOrder | { order: 'renew'; lease_ms: number } | { order: 'stop' } | { order: 'kill' };

export type GuardReport =
  | { report: 'started'; pid: number }
  | { report: 'not_started'; error: string }
  | { report: 'exited'; code: number | null; signal: string | null; lease_lost: boolean };

const REPORTS = 3;
let program: { pid: number; start: StartOrder } | null = null;
let lease: NodeJS.Timeout | undefined;
let leaseLost = false;
let stopping = false;

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('uncaughtException', (error) => {
  killAll();
  report({ report: 'not_started', error: String(error) });
  process.exit(1);
});

const orders = createInterface({ input: process.stdin });
orders.on('line', (line) => obey(JSON.parse(line) as GuardOrder));
orders.on('close', () => {
  killAll();
  process.exit(1);
});

function obey(order: GuardOrder): void {
  if (order.order === 'start') start(order);
  else if (order.order === 'renew') renew(order.lease_ms);
  else if (order.order === 'kill') killAll();
  else if (program !== null && !stopping) {
    stopping = true;
    signalGroup('SIGTERM');
    setTimeout(killAll, program.start.grace_ms);
  }
}

function start(order: StartOrder): void {
  for (const run_id of order.earlier_run_ids) killMarked(run_id);
  const [file = '', ...args] = order.argv;
  const child = spawn(file, args, {
    cwd: order.cwd,
    env: order.env,
    stdio: ['pipe', 1, 2],
    detached: true,
  });
  child.on('error', (error) => finish({ report: 'not_started', error: error.message }));
  child.on('exit', (code, signal) => {
    killAll();
    finish({ report: 'exited', code, signal, lease_lost: leaseLost });
  });
  const { pid } = child;
  if (pid === undefined) return;
  program = { pid, start: order };
  report({ report: 'started', pid });
  renew(order.lease_ms);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(order.prompt);
}

function renew(lease_ms: number): void {
  clearTimeout(lease);
  lease = setTimeout(() => {
    leaseLost = true;
    killAll();
  }, lease_ms);
}

function signalGroup(signal: NodeJS.Signals): void {
  if (program === null) return;
  try {
    process.kill(-program.pid, signal);
  } catch {
    // no process of the group is left
  }
}

function killAll(): void {
  if (program === null) return;
  signalGroup('SIGKILL');
  killMarked(program.start.run_id);
}

/** Kills what left the process group but still carries the run's id in its environment (where there is a /proc). */
function killMarked(run_id: string): void {
  const mark = `ENTOURAGE_RUN_ID=${run_id}\0`;
  for (let round = 0; round < 5; round += 1) {
    const found = processes().filter((pid) => environmentOf(pid).includes(mark));
    if (found.length === 0) return;
    for (const pid of found)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has just ended
      }
  }
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== process.pid);
  } catch {
    return [];
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function report(what: GuardReport): void {
  try {
    writeSync(REPORTS, `${JSON.stringify(what)}\n`);
  } catch {
    // the dispatcher is gone; the program goes too, by the end of standard input
  }
}

function finish(what: GuardReport): void {
  report(what);
  process.exit(0);
}
