import { existsSync } from 'node:fs';
import { parseSettings, SettingsError } from './config/settings.js';
import { startService } from './service.js';

const say = (line: string): void => void process.stderr.write(`entourage: ${line}\n`);

try {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const service = await startService(parseSettings(process.env), say);
  say(`listening on ${service.url}; API documentation at ${service.url}/docs`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      say(`${signal}: draining`);
      service.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          say(`stopping failed: ${String(error)}`);
          process.exit(1);
        },
      );
    });
} catch (error) {
  if (error instanceof SettingsError) for (const fault of error.faults) say(fault);
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
