import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { SETTING_NAMES, Settings } from './settings.js';

/** For programs that talk to the service (`npm run demo`), not read by it. */
const CLIENT_NAMES = new Set(['ENTOURAGE_URL']);

export class SettingsError extends Error {
  constructor(readonly faults: string[]) {
    super(faults.join('\n'));
    this.name = 'SettingsError';
  }
}

/** One message of several: that a value is no number at all says more than that it is out of bounds. */
function firstMessage(constraints: Record<string, string> = {}, property: string): string {
  const message =
    constraints['isInt'] ?? constraints['isNumber'] ?? Object.values(constraints)[0] ?? 'is wrong';
  return message.replace(`${property} `, '').replace('each value in ', '');
}

/**
 * Reads the settings from an environment. An empty value counts as unset.
 * @throws SettingsError with one line per fault; a line names the variable and never its value.
 */
export function parseSettings(env: NodeJS.ProcessEnv): Settings {
  const names = new Set(SETTING_NAMES);
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => names.has(name) && value !== undefined && value !== ''),
  );
  const settings = plainToInstance(Settings, given, { exposeDefaultValues: true });
  const faults = validateSync(settings).map(
    ({ property, constraints }) => `${property} ${firstMessage(constraints, property)}`,
  );
  for (const name of Object.keys(env))
    if (name.startsWith('ENTOURAGE_') && !names.has(name) && !CLIENT_NAMES.has(name))
      faults.push(`${name} is not a variable of this service`);
  if (settings.DATABASE_URL !== undefined)
    for (const name of ['ENTOURAGE_JWT_SECRET', 'ENTOURAGE_ENCRYPTION_KEY'] as const)
      if (settings[name] === undefined) faults.push(`${name} must be set when DATABASE_URL is set`);
  if (settings.DATABASE_URL === undefined && !settings.ENTOURAGE_MIGRATE)
    faults.push('ENTOURAGE_MIGRATE can be false only when DATABASE_URL is set');
  if (faults.length > 0) throw new SettingsError(faults);
  return settings;
}
