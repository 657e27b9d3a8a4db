import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { SettingsError } from './parse-settings.js';
import { type Settings } from './settings.js';

/** A program that the `command` runtime may start. Only the operator's own file names programs, never the API. */
export interface AllowedCommand {
  /** Program and arguments; started as they are, without a shell. */
  argv: string[];
  /** Variables with fixed values. */
  env: Record<string, string>;
  /** Variables handed on from the service's own environment. */
  pass_env: string[];
  /** Where it starts; without it, in an empty directory of its own. */
  cwd: string | null;
  timeout_seconds: number;
}

/** The injection token of the allow-list, too. */
export abstract class Commands extends Map<string, AllowedCommand> {}

const DEFAULT_TIMEOUT_SECONDS = 3600;
const MAX_TIMEOUT_SECONDS = 7 * 24 * 3600;
const VARIABLE = 'ENTOURAGE_COMMANDS_FILE';
/** What every program needs to run at all. */
const ALWAYS_PASSED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ'];
const NEVER_PASSED = /^(DATABASE_(DIRECT_)?URL|ENTOURAGE_.*|PGPASSWORD)$/;
const KNOWN_KEYS = new Set(['argv', 'env', 'pass_env', 'cwd', 'timeout_seconds']);

/** @throws SettingsError that names what is wrong in the file, and never a value of it. */
export async function loadCommands(settings: Pick<Settings, 'ENTOURAGE_COMMANDS_FILE'>): Promise<Commands> {
  const path = settings.ENTOURAGE_COMMANDS_FILE;
  if (path === undefined) return new Map();
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new SettingsError([`${VARIABLE} names a file that cannot be read (${code})`]);
  });
  return parseCommands(text);
}

export function parseCommands(text: string): Commands {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new SettingsError([`${VARIABLE} names a file that is not JSON`]);
  }
  if (!isObject(file))
    throw new SettingsError([`${VARIABLE} must hold one JSON object: command name → {"argv": […]}`]);
  const faults: string[] = [];
  const commands = new Map<string, AllowedCommand>();
  for (const [name, given] of Object.entries(file)) {
    const wrong = faultsOf(given);
    faults.push(...wrong.map((fault) => `${VARIABLE}: command "${name}": ${fault}`));
    if (wrong.length > 0) continue;
    const command = given as Partial<AllowedCommand> & { argv: string[] };
    commands.set(name, {
      argv: command.argv,
      env: command.env ?? {},
      pass_env: command.pass_env ?? [],
      cwd: command.cwd ?? null,
      timeout_seconds: command.timeout_seconds ?? DEFAULT_TIMEOUT_SECONDS,
    });
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return commands;
}

/** The environment a program starts with, before the variables of its run: nothing of the service's that is not listed. */
export function commandEnvironment(
  command: AllowedCommand,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const passed = [...ALWAYS_PASSED, ...command.pass_env].flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), ...command.env };
}

function faultsOf(given: unknown): string[] {
  if (!isObject(given)) return ['must be an object'];
  const { argv, env, pass_env, cwd, timeout_seconds } = given;
  const faults = Object.keys(given)
    .filter((key) => !KNOWN_KEYS.has(key))
    .map((key) => `"${key}" is not known; known are ${[...KNOWN_KEYS].join(', ')}`);
  if (!isStrings(argv) || argv.length === 0 || argv[0] === '')
    faults.push('"argv" must be an array of strings, the program first');
  if (env !== undefined && !(isObject(env) && isStrings(Object.values(env))))
    faults.push('"env" must be an object of strings');
  if (pass_env !== undefined && !isStrings(pass_env)) faults.push('"pass_env" must be an array of names');
  else
    for (const name of pass_env ?? [])
      if (NEVER_PASSED.test(name)) faults.push(`"pass_env" must not name ${name}: it is the service's own`);
  if (cwd !== undefined && !(typeof cwd === 'string' && isAbsolute(cwd)))
    faults.push('"cwd" must be an absolute path');
  if (timeout_seconds !== undefined && !isTimeout(timeout_seconds))
    faults.push(`"timeout_seconds" must be a number above 0, at most ${MAX_TIMEOUT_SECONDS}`);
  return faults;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string' && !entry.includes('\0'));

const isTimeout = (value: unknown): boolean =>
  typeof value === 'number' && value > 0 && value <= MAX_TIMEOUT_SECONDS;
