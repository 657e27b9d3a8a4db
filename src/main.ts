import { existsSync } from 'node:fs';
import { parseSettings } from './config/settings.js';
import { startService } from './service.js';
import { explainStartFailure } from './start-failure.js';

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
  const settings = parseSettings(process.env);
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
