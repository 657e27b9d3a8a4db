import { describe, expect, it } from '@jest/globals';
import { commandEnvironment, loadCommands, parseCommands } from './commands.js';
import { SettingsError } from './parse-settings.js';

const faults = (file: unknown): string[] => {
  try {
    parseCommands(typeof file === 'string' ? file : JSON.stringify(file));
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
};

describe('the commands file', () => {
  it('fills in what is not given', () => {
    expect(parseCommands('{"echo": {"argv": ["/bin/cat"]}}').get('echo')).toEqual({
      argv: ['/bin/cat'],
      env: {},
      pass_env: [],
      cwd: null,
      timeout_seconds: 3600,
    });
  });

  it('is empty without a file', async () => {
    expect((await loadCommands({})).size).toBe(0);
  });

  it.each([
    ['not json', 'is not JSON'],
    [[], 'one JSON object'],
    [{ a: { argv: [] } }, 'command "a": "argv"'],
    [{ a: { argv: 'sh -c x' } }, 'command "a": "argv"'],
    [{ a: {} }, 'command "a": "argv"'],
    [{ a: { argv: ['x'], shell: true } }, '"shell" is not known'],
    [{ a: { argv: ['x'], cwd: 'here' } }, '"cwd" must be an absolute path'],
    [{ a: { argv: ['x'], timeout_seconds: 0 } }, '"timeout_seconds"'],
    [{ a: { argv: ['x'], env: { A: 1 } } }, '"env"'],
    [{ a: { argv: ['x'], pass_env: ['DATABASE_URL'] } }, 'must not name DATABASE_URL'],
    [{ a: { argv: ['x'], pass_env: ['ENTOURAGE_JWT_SECRET'] } }, 'must not name ENTOURAGE_JWT_SECRET'],
  ])('names what is wrong: %j', (file, fault) => {
    expect(faults(file)).toEqual([expect.stringContaining(fault)]);
  });

  it('names a file that is not there, without its path', async () => {
    await expect(loadCommands({ ENTOURAGE_COMMANDS_FILE: '/nowhere/secret' })).rejects.toThrow(
      'ENTOURAGE_COMMANDS_FILE names a file that cannot be read (ENOENT)',
    );
  });

  it('hands on only what is listed', () => {
    const command = parseCommands(
      '{"a": {"argv": ["x"], "env": {"B": "2"}, "pass_env": ["A", "UNSET"]}}',
    ).get('a')!;
    expect(
      commandEnvironment(command, {
        PATH: '/bin',
        HOME: '/root',
        A: '1',
        DATABASE_URL: 'postgres://x',
        B: '0',
      }),
    ).toEqual({ PATH: '/bin', HOME: '/root', A: '1', B: '2' });
  });
});
