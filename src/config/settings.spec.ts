import { describe, expect, it } from '@jest/globals';
import { parseSettings, SETTING_NAMES, Settings, SettingsError } from './settings.js';
import { settingsSummary } from './settings-summary.js';

const SECRETS = {
  ENTOURAGE_JWT_SECRET: 's'.repeat(40),
  ENTOURAGE_ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
};
const EXTERNAL = { DATABASE_URL: 'postgres://ada:pass-word@db.internal:5432/entourage', ...SECRETS };

const faultsOf = (env: Record<string, string>): string[] => {
  try {
    parseSettings(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
};

describe('parseSettings', () => {
  it('needs nothing', () => {
    expect(parseSettings({})).toMatchObject({
      PORT: 8000,
      HOST: '127.0.0.1',
      ENTOURAGE_DATA_DIR: '.entourage',
    });
  });

  it('knows every property of the class by name', () => {
    expect(Object.keys(new Settings()).filter((name) => !SETTING_NAMES.includes(name))).toEqual([]);
  });

  it('reads numbers, flags and lists', () => {
    const settings = parseSettings({
      PORT: '9000',
      ENTOURAGE_LOG_PRETTY: '1',
      ENTOURAGE_ROLES: 'api, dispatcher',
      ENTOURAGE_POLL_SECONDS: '0.5',
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: '10.0.0.0/8,fd00::/8,192.168.1.1',
      ENTOURAGE_CORS_ORIGINS: 'https://app.example.com,http://localhost:5173',
    });
    expect(settings).toMatchObject({
      PORT: 9000,
      ENTOURAGE_LOG_PRETTY: true,
      ENTOURAGE_ROLES: ['api', 'dispatcher'],
      ENTOURAGE_POLL_SECONDS: 0.5,
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['10.0.0.0/8', 'fd00::/8', '192.168.1.1'],
    });
  });

  it('takes an empty value for unset', () => {
    expect(parseSettings({ PORT: '', DATABASE_URL: '' })).toMatchObject({ PORT: 8000 });
    expect(parseSettings({ DATABASE_URL: '' }).DATABASE_URL).toBeUndefined();
  });

  it('names the secrets that DATABASE_URL needs', () => {
    expect(faultsOf({ DATABASE_URL: EXTERNAL.DATABASE_URL })).toEqual([
      'ENTOURAGE_JWT_SECRET must be set when DATABASE_URL is set',
      'ENTOURAGE_ENCRYPTION_KEY must be set when DATABASE_URL is set',
    ]);
    expect(faultsOf(EXTERNAL)).toEqual([]);
  });

  it.each([
    ['PORT', 'eighty', 'PORT must be a whole number'],
    ['PORT', '70000', 'PORT must not be greater than 65535'],
    ['PORT', '80.5', 'PORT must be a whole number'],
    ['DATABASE_URL', 'mysql://root:hunter2@db/x', 'DATABASE_URL must be a postgres:// URL'],
    [
      'DATABASE_DIRECT_URL',
      'postgres://root:hunter2@db:port/x',
      'DATABASE_DIRECT_URL must be a postgres:// URL',
    ],
    ['ENTOURAGE_JWT_SECRET', 'hunter2', 'ENTOURAGE_JWT_SECRET must be at least 32 characters'],
    [
      'ENTOURAGE_ENCRYPTION_KEY',
      'hunter2',
      'ENTOURAGE_ENCRYPTION_KEY must be 32 bytes in base64 (openssl rand -base64 32)',
    ],
    [
      'ENTOURAGE_ROLES',
      'api,cook',
      'ENTOURAGE_ROLES must be a comma-separated list of api, dispatcher, notifier',
    ],
    ['ENTOURAGE_POLL_SECONDS', 'often', 'ENTOURAGE_POLL_SECONDS must be a number'],
    [
      'ENTOURAGE_LOG_LEVEL',
      'loud',
      'ENTOURAGE_LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
    ],
    ['ENTOURAGE_LOG_PRETTY', 'yes', 'ENTOURAGE_LOG_PRETTY must be true or false'],
    [
      'ENTOURAGE_TRUSTED_PROXIES',
      '10.0.0.0/33',
      'ENTOURAGE_TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8',
    ],
    ['ENTOURAGE_CORS_ORIGINS', '*', 'ENTOURAGE_CORS_ORIGINS must be origins such as https://app.example.com'],
    ['ENTOURAGE_PUBLIC_URL', 'nowhere', 'ENTOURAGE_PUBLIC_URL must be an http(s) URL'],
    ['ENTOURAGE_PROT', '8000', 'ENTOURAGE_PROT is not a variable of this service'],
  ])('%s=%s is one fault in words', (name, value, fault) => {
    expect(faultsOf({ ...SECRETS, [name]: value })).toEqual([fault]);
  });

  it('lists every fault at once and never a value', () => {
    const faults = faultsOf({
      PORT: 'hunter2',
      DATABASE_URL: 'hunter2://hunter2',
      ENTOURAGE_JWT_SECRET: 'hunter2',
      ENTOURAGE_ENCRYPTION_KEY: 'hunter2',
      ENTOURAGE_ROLES: 'hunter2',
      ENTOURAGE_TRUSTED_PROXIES: 'hunter2',
      ENTOURAGE_UNKNOWN: 'hunter2',
    });
    expect(faults).toHaveLength(7);
    expect(faults.join('\n')).not.toContain('hunter2');
    for (const fault of faults) expect(fault).not.toContain('\n');
  });
});

describe('settingsSummary', () => {
  it('has no secret in it', () => {
    const summary = settingsSummary(parseSettings({ ...EXTERNAL, ENTOURAGE_METRICS_TOKEN: 'm'.repeat(20) }));
    expect(summary).toMatchObject({
      DATABASE_URL: 'postgres://db.internal:5432/entourage',
      ENTOURAGE_JWT_SECRET: '(set)',
      ENTOURAGE_ENCRYPTION_KEY: '(set)',
      ENTOURAGE_METRICS_TOKEN: '(set)',
    });
    expect(JSON.stringify(summary)).not.toMatch(/pass-word|ada|sss|mmm/);
  });
});
