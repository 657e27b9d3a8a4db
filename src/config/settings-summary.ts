import { type Settings } from './settings.js';

const SECRET = new Set(['ENTOURAGE_JWT_SECRET', 'ENTOURAGE_ENCRYPTION_KEY', 'ENTOURAGE_METRICS_TOKEN']);

/** Of a connection URL what tells databases apart; neither password nor options, which may hold one. */
function withoutCredentials(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** The settings as one log record, secrets reduced to whether they are set. */
export function settingsSummary(settings: Settings): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]: [string, unknown]) => {
        if (SECRET.has(name)) return [name, '(set)'];
        if (name.startsWith('DATABASE_')) return [name, withoutCredentials(String(value))];
        return [name, value];
      }),
  );
}
