import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.js';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** Run as this user; only root may. */
  uid?: number;
  gid?: number;
  /** Another build than the one in `dist`. */
  main?: string;
  /** What follows the program on its command line. */
  args?: string[];
}

/** The built service as a process of its own, in a process group of its own, as a terminal would start it. */
export class ChildService {
  /** What it told the person who started it. */
  said = '';
  /** Its log. */
  log = '';
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private ended = false;

  constructor(env: Record<string, string>, options: ChildOptions = {}) {
    const { main = join(process.cwd(), 'dist/src/main.js'), args = [], ...user } = options;
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^(ENTOURAGE_|DATABASE_|NODE_OPTIONS|TEST_|JEST_)/.test(name),
      ),
    );
    this.child = spawn(process.execPath, [main, ...args], {
      ...user,
      detached: true,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inherited, PORT: '0', ENTOURAGE_LOG_PRETTY: 'false', ...env },
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    this.exited = new Promise((done) =>
      this.child.once('close', (code, signal) => {
        this.ended = true;
        done({ code, signal });
      }),
    );
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the process did not start');
    return this.child.pid;
  }

  /** @returns its address, once it listens. */
  async ready(): Promise<string> {
    const url = await until(
      () => {
        if (this.ended) throw new Error(`it ended instead of starting:\n${this.said}`);
        return /listening on (http:\S+);/.exec(this.said)?.[1];
      },
      `the service to listen; it said:\n${this.said}`,
      60_000,
    );
    return url;
  }

  /** To the process, or with `group` to all of its group, as Ctrl-C does. */
  signal(signal: NodeJS.Signals, group = false): void {
    if (!this.ended) process.kill(group ? -this.pid : this.pid, signal);
  }

  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }
}

/** The server process of the embedded database in a data directory, or null. */
export function postgresPid(cluster: string): number | null {
  try {
    const pid = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 0);
    return pid;
  } catch {
    return null;
  }
}
