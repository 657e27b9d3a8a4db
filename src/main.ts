import { existsSync } from 'node:fs';
import { parseSettings } from './config/parse-settings.js';
import { migrateOnly } from './migrate-only.js';
import { CommandError, explainStartFailure } from './start-failure.js';

const say = (line: string): void => void process.stderr.write(`entourage: ${line}\n`);

/** The first signal drains and stops, during the start too; further ones (npm and the terminal both send) change nothing. */
const given = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (given.signal.aborted) return;
    say(`${signal}: stopping`);
    given.abort();
  });

try {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const [command] = process.argv.slice(2);
  if (command !== undefined && command !== 'migrate')
    throw new CommandError(
      `there is no command "${command}": without one it serves, and "migrate" only migrates`,
    );
  const settings = parseSettings(process.env);
  if (command === 'migrate') {
    await migrateOnly(settings, { progress: say, signal: given.signal });
    process.exit(0);
  }
  // Only now: to migrate, or to say what is wrong, needs none of the modules.
  const { startService } = await import('./service.js');
  const service = await startService(settings, { progress: say, signal: given.signal });
  say(`listening on ${service.url}; API documentation at ${service.url}/docs`);
  let exitCode = 0;
  for (const fault of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(fault, (error: unknown) => {
      say(`${fault}: ${error instanceof Error ? error.stack : String(error)}`);
      exitCode = 1;
      given.abort();
    });
  const stop = async (): Promise<void> => {
    try {
      await service.stop();
      say('stopped');
    } catch (error) {
      say(`stopping failed: ${error instanceof Error ? error.stack : String(error)}`);
      exitCode = 1;
    }
    process.exit(exitCode);
  };
  if (given.signal.aborted) await stop();
  given.signal.addEventListener('abort', () => void stop(), { once: true });
} catch (error) {
  if (given.signal.aborted) {
    say('stopped before it was ready');
  } else for (const line of explainStartFailure(error)) say(line);
  process.exit(given.signal.aborted ? 0 : 1);
}
