import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../../../test/support/until.js';
import { parseCommands } from '../../../config/commands.js';
import { ResolvedSettings } from '../../../config/settings.js';
import { newId } from '../../../database/new-id.js';
import { type ServiceAddress } from '../../../http/service-address.js';
import { type RunKeys } from '../run-keys.js';
import { CommandRuntime } from './command-runtime.js';
import { type Assignment, type SupervisedRun } from './runtime.js';

const KEY = `oc_${'k'.repeat(43)}`;

const alive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

describe('the command runtime', () => {
  let directory: string;
  let started: SupervisedRun[];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'command-runtime-'));
    started = [];
  });
  afterEach(async () => {
    for (const run of started) run.kill();
    await Promise.all(started.map((run) => run.ended));
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (
    shell: string,
    assignment: Partial<Assignment> = {},
    command: object = {},
  ): Promise<SupervisedRun> => {
    const runtime = new CommandRuntime(
      parseCommands(JSON.stringify({ it: { argv: ['/bin/sh', '-c', shell], ...command } })),
      Object.assign(new ResolvedSettings(), { ENTOURAGE_PUBLIC_URL: 'http://entourage.test' }),
      { make: () => Promise.resolve(KEY) } as unknown as RunKeys,
      { url: () => Promise.resolve('http://entourage.test') } as unknown as ServiceAddress,
    );
    const run = await runtime.start({
      run: {
        id: newId(),
        org_id: 'o',
        team_id: 't',
        task_id: 7,
        agent_id: 'a',
        attempt: 2,
        fencing_token: 1,
        correlation_id: 'c',
      },
      agent: {
        id: 'a',
        name: 'Ada',
        role: 'engineer',
        model: 'm',
        runtime_config: { command: 'it' },
        runtime_secret: null,
      },
      task: { id: 7, title: 'x', branch: 'task-7-x' },
      prompt: 'do it\n',
      earlier_run_ids: [],
      lease_ms: 10_000,
      lease_seconds: 10,
      ...assignment,
    });
    started.push(run);
    return run;
  };
  const pids = (count: number): Promise<number[]> =>
    until(() => {
      const file = join(directory, 'pids');
      const found = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
      return found.length === count && found;
    }, `${count} process ids`);
  const allGone = (of: number[]): Promise<boolean> =>
    until(() => of.every((pid) => !alive(pid)), 'the end of every process');
  /** A program with a child in its group and one that left the group by setsid. */
  const family = (): string =>
    `cd ${directory}; echo $$ >> pids; sleep 600 & echo $! >> pids; setsid sh -c 'echo $$ >> pids; sleep 600' & wait`;

  it('gives the prompt on standard input and keeps output and exit code', async () => {
    const run = await start('cat; echo done >&2');
    expect(await run.ended).toEqual({ status: 'succeeded', exit_code: 0, output: 'do it\ndone\n' });
  });

  it('is a failure when the program fails, is killed, or cannot be started', async () => {
    expect(await (await start('echo oh; exit 3')).ended).toEqual({
      status: 'failed',
      exit_code: 3,
      error: 'The program ended with exit code 3',
      output: 'oh\n',
    });
    expect(await (await start('kill -SEGV $$')).ended).toMatchObject({
      status: 'failed',
      error: 'The program was ended by SIGSEGV',
    });
    const missing = await start('', {}, { argv: ['/no/such/program'] });
    expect(await missing.ended).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('did not start'),
    });
  });

  it('refuses a command that is not in the list', async () => {
    await expect(
      start('true', {
        agent: {
          id: 'a',
          name: 'A',
          role: 'engineer',
          model: 'm',
          runtime_config: { command: 'rm' },
          runtime_secret: null,
        },
      }),
    ).rejects.toThrow('The command "rm" is not in the list of ENTOURAGE_COMMANDS_FILE');
  });

  it('starts the program with nothing of the environment but what is listed', async () => {
    process.env['DATABASE_URL_OF_TEST'] = 'secret';
    process.env['HANDED_ON'] = 'yes';
    const run = await start('env | sort; pwd', {}, { env: { FIXED: '1' }, pass_env: ['HANDED_ON'] });
    const { output = '' } = await run.ended;
    const names = output.split('\n').flatMap((line) => (line.includes('=') ? [line.split('=')[0]!] : []));
    const ofShell = ['PWD', 'OLDPWD', 'SHLVL', '_'];
    const optional = ['HOME', 'LANG', 'LC_ALL', 'TZ'];
    expect(names.filter((name) => !ofShell.includes(name) && !optional.includes(name))).toEqual([
      'ENTOURAGE_AGENT_ID',
      'ENTOURAGE_API_KEY',
      'ENTOURAGE_API_URL',
      'ENTOURAGE_ATTEMPT',
      'ENTOURAGE_BRANCH',
      'ENTOURAGE_FENCING_TOKEN',
      'ENTOURAGE_MCP_URL',
      'ENTOURAGE_MODEL',
      'ENTOURAGE_RUN_ID',
      'ENTOURAGE_TASK_ID',
      'ENTOURAGE_TEAM_ID',
      'ENTOURAGE_URL',
      'FIXED',
      'HANDED_ON',
      'PATH',
    ]);
    const cwd = output.trim().split('\n').at(-1)!;
    expect(cwd).toMatch(/entourage-run-/);
    await until(() => !existsSync(cwd), 'the working directory to be removed');
  });

  it('keeps no key of the program with its output, also where the kept text begins within one', async () => {
    const run = await start('echo "my key: $ENTOURAGE_API_KEY."');
    expect((await run.ended).output).toBe(`my key: ${'*'.repeat(KEY.length)}.\n`);
    const long = await start('printf "$ENTOURAGE_API_KEY"; head -c 65520 /dev/zero | tr "\\0" a');
    const { output = '' } = await long.ended;
    expect(output).toBe('*'.repeat(16) + 'a'.repeat(65_520));
  });

  it('keeps the last 64 KiB of the output', async () => {
    const run = await start('head -c 1000000 /dev/zero | tr "\\0" a; echo end');
    const { output = '' } = await run.ended;
    expect(output.length).toBe(64 * 1024);
    expect(output.endsWith('aaaend\n')).toBe(true);
  });

  it('stops the whole family, however deaf it is', async () => {
    const run = await start(`trap '' TERM; ${family()}; while :; do sleep 1; done`);
    const family_ = await pids(3);
    run.kill();
    expect(await run.ended).toMatchObject({ status: 'failed', error: 'The program was ended by SIGKILL' });
    await allGone(family_);
  });

  it('lets the program end by itself when it is asked to stop', async () => {
    const run = await start(`trap 'echo bye; exit 9' TERM; ${family()}`);
    const family_ = await pids(3);
    run.stop();
    expect(await run.ended).toMatchObject({ exit_code: 9, output: 'bye\n' });
    await allGone(family_);
  });

  it('leaves nothing behind that the program started in the background', async () => {
    const run = await start(`cd ${directory}; (sleep 600 & echo $! >> pids); exit 0`);
    expect(await run.ended).toMatchObject({ status: 'succeeded' });
    await allGone(await pids(1));
  });

  it('ends the program when the lease is not renewed', async () => {
    const run = await start(family(), { lease_ms: 700 });
    const family_ = await pids(3);
    expect(await run.ended).toMatchObject({
      status: 'failed',
      error: 'The lease could not be renewed in time; the program was killed',
    });
    await allGone(family_);
  });

  it('lives on while the lease is renewed', async () => {
    const run = await start('sleep 1; echo alive', { lease_ms: 600 });
    const renewing = setInterval(() => run.renewed(600), 100);
    expect(await run.ended).toMatchObject({ status: 'succeeded', output: 'alive\n' });
    clearInterval(renewing);
  });

  it('kills what an earlier run of the task left here', async () => {
    const earlier = newId();
    const left = await start('sleep 600 & echo $!; wait', {
      run: {
        id: earlier,
        org_id: 'o',
        team_id: 't',
        task_id: 7,
        agent_id: 'a',
        attempt: 1,
        fencing_token: 1,
        correlation_id: 'c',
      },
    });
    await new Promise((done) => setTimeout(done, 200));
    const next = await start('true', { earlier_run_ids: [earlier] });
    expect(await next.ended).toMatchObject({ status: 'succeeded' });
    expect(await left.ended).toMatchObject({ status: 'failed' });
  });
});
