import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.js';

const options = { cwd: '/', env: { PATH: process.env['PATH'] } };
const module = fileURLToPath(new URL('./run-program.ts', import.meta.url));

describe('runProgram', () => {
  it('says with what a program failed', async () => {
    await expect(runProgram('sh', ['-c', 'echo no luck >&2; exit 3'], options)).rejects.toThrow(
      'sh ended with status 3: no luck',
    );
    await expect(runProgram('sh', ['-c', 'kill -TERM $$'], options)).rejects.toThrow('sh ended with SIGTERM');
    await expect(runProgram('/nowhere/at/all', [], options)).rejects.toThrow('ENOENT');
  });

  it('runs a program that Ctrl-C killed before it had a session of its own', async () => {
    const many = `
      const { runProgram } = await import(${JSON.stringify(module)});
      process.on('SIGINT', () => undefined);
      process.stdout.write('ready');
      for (let n = 0; n < 100; n += 1) await runProgram('true', [], ${JSON.stringify(options)});
      process.exit(0);`;
    const child = spawn(
      process.execPath,
      ['--no-warnings', '--experimental-strip-types', '--input-type=module', '--eval', many],
      { detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    const impatience = setInterval(() => process.kill(-(child.pid ?? 0), 'SIGINT'), 3);
    const [code, signal] = (await exited) as [number | null, string | null];
    clearInterval(impatience);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
  });
});
