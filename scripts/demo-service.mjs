// Starts the built service in a temporary data directory, for the demo.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_SECONDS = 60;

/**
 * `prepare` is given the service's directory and answers the programs of its agents and further settings. Resolves with
 * the service's address and directory, and a function that stops it and removes the directory.
 */
export async function startService(say, prepare) {
  const directory = await mkdtemp(join(tmpdir(), 'entourage-demo-'));
  await chmod(directory, 0o711); // PostgreSQL runs as a user of its own where this runs as root.
  const { commands, settings = {} } = prepare(directory);
  const commandsFile = join(directory, 'commands.json');
  await writeFile(commandsFile, JSON.stringify(commands));
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(ENTOURAGE_|DATABASE_|HOST$)/.test(name)),
  );
  const child = spawn(process.execPath, [join(import.meta.dirname, '../dist/src/main.js')], {
    cwd: directory, // Not here: the demo is not to read this directory's .env.
    detached: true, // Ctrl-C reaches the demo, which stops the service.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...env,
      PORT: '0',
      ENTOURAGE_DATA_DIR: join(directory, 'data'),
      ENTOURAGE_COMMANDS_FILE: commandsFile,
      ENTOURAGE_LOG_LEVEL: 'warn',
      ENTOURAGE_LOG_PRETTY: 'false',
      ...settings,
    },
  });
  let printed = '';
  const ended = new Promise((done) => child.once('close', done));
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const url = await new Promise((done, fail) => {
      const late = setTimeout(
        () => fail(new Error('the service did not start in time')),
        START_SECONDS * 1000,
      );
      late.unref();
      const read = (text) => {
        printed += text;
        for (const [, step] of String(text).matchAll(/^entourage: (.*)$/gm)) say(`service: ${step}`);
        const listening = /listening on (http:\S+);/.exec(printed);
        if (listening) done(listening[1]);
      };
      child.stderr.setEncoding('utf8').on('data', read);
      child.stdout.setEncoding('utf8').on('data', (text) => (printed += text));
      void ended.then(() => fail(new Error(`the service ended:\n${printed}`)));
    });
    return { url, directory, stop, printed: () => printed };
  } catch (error) {
    await stop();
    throw error;
  }
}
