import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { GuardOrder, GuardReport, StartOrder } from './command-guard.js';
import { OutputTail } from './output-tail.js';
import { type RunEnd } from './runtime.js';

/** Compiled beside this file; in tests both are TypeScript, which Node runs as it is. */
const GUARD = fileURLToPath(
  new URL(`./command-guard.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);
/** For output still in the pipe when the program has ended; something that escaped may hold the pipe open for ever. */
const DRAIN_MS = 500;

/** A program with its guard, as the dispatcher sees them. */
export class GuardedProgram {
  readonly ended: Promise<RunEnd>;
  private readonly output: OutputTail;
  private readonly guard: ChildProcess;
  private pid: number | null = null;
  private last: GuardReport | null = null;

  /** @param secret of the program's environment, if it has one: it is not kept with what the program prints. */
  constructor(order: StartOrder, secret = '') {
    this.output = new OutputTail(secret);
    this.guard = spawn(process.execPath, ['--no-warnings', GUARD], {
      env: {},
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.guard.stdout, this.guard.stderr])
      stream?.on('data', (chunk: Buffer) => this.output.add(chunk));
    const reports = createInterface({ input: this.guard.stdio[3] as Readable });
    reports.on('line', (line) => this.hear(JSON.parse(line) as GuardReport));
    this.guard.stdin?.on('error', () => undefined);
    this.ended = new Promise((done) => {
      this.guard.once('error', (error) => done(this.failed(`The guard did not start: ${error.message}`)));
      this.guard.once('exit', () => {
        this.killOrphans();
        const settled = setTimeout(() => this.guard.emit('drained'), DRAIN_MS);
        this.guard.once('close', () => this.guard.emit('drained'));
        this.guard.once('drained', () => {
          clearTimeout(settled);
          for (const stream of this.guard.stdio) stream?.destroy();
          done(this.end());
        });
      });
    });
    this.order(order);
  }

  stop(): void {
    this.order({ order: 'stop' });
  }

  kill(): void {
    this.order({ order: 'kill' });
  }

  renewed(lease_ms: number): void {
    this.order({ order: 'renew', lease_ms });
  }

  private order(order: GuardOrder): void {
    const input = this.guard.stdin as Writable;
    if (input.writable) input.write(`${JSON.stringify(order)}\n`);
  }

  private hear(report: GuardReport): void {
    if (report.report === 'started') this.pid = report.pid;
    this.last = report;
  }

  /** The guard was killed before it could report the end: its program must not outlive it. */
  private killOrphans(): void {
    if (this.pid === null || this.last?.report === 'exited') return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // the group has ended
    }
  }

  private end(): RunEnd {
    const { last } = this;
    const output = this.output.toString();
    if (last?.report === 'not_started') return this.failed(`The program did not start: ${last.error}`);
    if (last?.report !== 'exited') return this.failed('The guard of the program was killed');
    if (last.lease_lost) return this.failed('The lease could not be renewed in time; the program was killed');
    if (last.signal !== null) return this.failed(`The program was ended by ${last.signal}`);
    if (last.code !== 0)
      return { ...this.failed(`The program ended with exit code ${last.code}`), exit_code: last.code };
    return { status: 'succeeded', exit_code: 0, output };
  }

  private failed(error: string): RunEnd {
    return { status: 'failed', error, output: this.output.toString() };
  }
}
