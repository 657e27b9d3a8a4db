import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { DomainError } from '../../errors/domain-error.js';

export interface GitOptions {
  /** Added to git's environment; nothing of the service's own reaches it. */
  env?: Record<string, string | undefined>;
  input?: string;
  timeout_ms?: number;
  /** Of standard output; where there is more, it is cut and git is stopped. */
  max_bytes?: number;
  signal?: AbortSignal;
}

export interface GitResult {
  /** Null when it was stopped. */
  code: number | null;
  stdout: Buffer;
  stderr: string;
  truncated: boolean;
  timed_out: boolean;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1_048_576;
const MAX_STDERR = 16_384;

/** Nothing that a repository's own configuration names is started: no hook, no file system monitor. */
const SAFE = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'safe.directory=*'];

/**
 * Git sees where programs are found and nothing else of the service's environment. It asks nobody, fetches no object that
 * a partial clone lacks, and reaches no other repository unless the caller allows a protocol.
 */
const environment = (directory: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  LC_ALL: 'C',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '',
  GIT_EDITOR: ':',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_CEILING_DIRECTORIES: dirname(directory),
});

/**
 * Runs git in `directory`, and never in a repository around it. Bounded in time and output; whatever it started ends
 * with it.
 * @throws DomainError `service_unavailable` when there is no git; the signal's reason when it is aborted.
 */
export async function runGit(
  directory: string,
  args: string[],
  options: GitOptions = {},
): Promise<GitResult> {
  const { signal, input, max_bytes = MAX_BYTES } = options;
  signal?.throwIfAborted();
  const child = spawn('git', [...SAFE, ...args], {
    cwd: directory,
    env: { ...environment(directory), ...options.env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
  });
  const kill = (): void => killGroup(child.pid);
  const chunks: Buffer[] = [];
  const result: GitResult = {
    code: null,
    stdout: Buffer.alloc(0),
    stderr: '',
    truncated: false,
    timed_out: false,
  };
  let size = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    const rest = max_bytes - size;
    size += chunk.length;
    if (rest > 0) chunks.push(chunk.subarray(0, rest));
    if (size <= max_bytes) return;
    result.truncated = true;
    kill();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (result.stderr.length < MAX_STDERR) result.stderr += text;
  });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const timeout = setTimeout(() => {
    result.timed_out = true;
    kill();
  }, options.timeout_ms ?? TIMEOUT_MS);
  signal?.addEventListener('abort', kill);
  let interrupted = false;
  try {
    result.code = await new Promise<number | null>((done, fail) => {
      child.once('error', (error) => fail(notStarted(error)));
      // What it leaves behind would keep the pipes open.
      child.once('exit', kill);
      child.once('close', (code, by) => {
        interrupted = by === 'SIGINT';
        done(code);
      });
    });
  } finally {
    clearTimeout(timeout);
    signal?.removeEventListener('abort', kill);
  }
  signal?.throwIfAborted();
  // Ctrl-C, meant for the service, came before git had its session: it has not begun.
  if (interrupted) return runGit(directory, args, options);
  result.stdout = Buffer.concat(chunks);
  return result;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // no process of the group is left
  }
}

/** Node says the same of a directory that is gone; whoever calls has just seen it. */
const notStarted = (error: NodeJS.ErrnoException): Error =>
  error.code === 'ENOENT'
    ? new DomainError('service_unavailable', 'git is not installed on the server')
    : error;
