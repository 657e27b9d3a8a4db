import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { DomainError } from '../../errors/domain-error.js';

const run = promisify(execFile);

const TIMEOUT_MS = 10_000;
const MAX_OUTPUT = 1_048_576;

/** Nothing that a repository's own configuration names is started: no hook, no file system monitor. */
const SAFE = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'safe.directory=*'];

/**
 * Runs git in `directory` and never in a repository around it.
 * @returns what it printed, without the last line break; null when git failed.
 */
export async function git(directory: string, ...args: string[]): Promise<string | null> {
  try {
    const { stdout } = await run('git', [...SAFE, ...args], {
      cwd: directory,
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_OUTPUT,
      windowsHide: true,
      // Only where programs are found is the process's own business here; no setting of the service goes to git.
      env: {
        PATH: process.env['PATH'],
        LC_ALL: 'C',
        GIT_TERMINAL_PROMPT: '0',
        GIT_OPTIONAL_LOCKS: '0',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CEILING_DIRECTORIES: dirname(directory),
      },
    });
    return stdout.replace(/\r?\n$/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && (error as NodeJS.ErrnoException).path === 'git')
      throw new DomainError('service_unavailable', 'git is not installed on the server');
    return null;
  }
}
