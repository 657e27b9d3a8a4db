import { spawn } from 'node:child_process';

export interface ProgramOptions {
  uid?: number;
  gid?: number;
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/**
 * Runs a program in a session of its own: Ctrl-C goes to everything in the terminal's group, and must not reach the
 * program that is just stopping the database.
 * @throws Error with what it said when it does not end with status 0.
 */
export async function runProgram(program: string, args: string[], options: ProgramOptions): Promise<void> {
  // A new process is of the terminal's group until it has its session: Ctrl-C just then kills it before it has begun.
  while ((await runOnce(program, args, options)) === 'SIGINT');
}

/** @returns the signal that ended it, if Ctrl-C did. */
function runOnce(program: string, args: string[], options: ProgramOptions): Promise<'SIGINT' | null> {
  return new Promise((resolve, reject) => {
    // pg_ctl hands its output on to the server it starts: reading it to its end would wait for the server's.
    const child = spawn(program, args, { ...options, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      child.stderr.destroy();
      if (code === 0) resolve(null);
      else if (signal === 'SIGINT') resolve(signal);
      else reject(new Error(`${program} ended with ${signal ?? `status ${code}`}: ${said}`));
    });
  });
}
