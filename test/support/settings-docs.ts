import { readFileSync } from 'node:fs';
import { SETTING_NAMES, Settings } from '../../src/config/settings.js';

interface Documented {
  name: string;
  text: string;
  default: string;
}

/** Depends on where the service runs, so that no default can be written down. */
const NO_FIXED_DEFAULT = new Set(['ENTOURAGE_LOG_PRETTY']);

/** Each variable with the comment above it in settings.ts and its default. */
export function documentedSettings(): Documented[] {
  const source = readFileSync('src/config/settings.ts', 'utf8');
  const defaults = new Settings() as unknown as Record<string, string | number | string[] | undefined>;
  return SETTING_NAMES.map((name) => {
    const end = source.search(new RegExp(`^  ${name}[?:]`, 'm'));
    const begin = source.lastIndexOf('/**', end);
    const text = source
      .slice(begin + 3, source.indexOf('*/', begin))
      .replace(/^\s*\*\s?/gm, '')
      .replace(/\s+/g, ' ')
      .trim();
    const value = NO_FIXED_DEFAULT.has(name) ? undefined : defaults[name];
    return { name, text, default: value === undefined ? '' : String(value) };
  });
}

/** `.env.example`: every variable, its default, commented out. */
export const envExample = (): string =>
  [
    '# Every variable the service reads. A line without its # changes the default; `.env` beside this file is read at start.',
    ...documentedSettings().map((setting) => `\n# ${setting.text}\n#${setting.name}=${setting.default}`),
    '',
  ].join('\n');

/** The README's table, between its two marks. */
export const readmeTable = (): string =>
  [
    '| variable | default | meaning |',
    '| --- | --- | --- |',
    ...documentedSettings().map(
      (setting) =>
        `| \`${setting.name}\` | ${setting.default === '' ? '' : `\`${setting.default}\``} | ${setting.text.replaceAll('|', '\\|')} |`,
    ),
  ].join('\n');
