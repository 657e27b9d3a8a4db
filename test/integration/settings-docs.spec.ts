import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { documentedSettings, envExample, readmeTable } from '../support/settings-docs.js';

const MARKS = /(<!-- settings: .*? -->\n)([\s\S]*?)(\n<!-- end of settings -->)/;

/** `UPDATE_DOCS=1 npm test -- settings-docs` writes both anew. */
if (process.env['UPDATE_DOCS'] === '1') {
  writeFileSync('.env.example', envExample());
  const readme = readFileSync('README.md', 'utf8');
  writeFileSync(
    'README.md',
    readme.replace(MARKS, (_, begin: string, __, end: string) => `${begin}\n${readmeTable()}\n${end}`),
  );
}

/** Rows of a Markdown table without the padding that prettier gives it. */
const rows = (table: string): string[] =>
  table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.replace(/ +/g, ' '));

describe('documentation of the settings', () => {
  it('has a comment on every variable', () => {
    for (const { name, text } of documentedSettings())
      expect({ name, documented: text.length > 20 }).toEqual({ name, documented: true });
  });

  it('.env.example lists every variable with its default', () => {
    expect(readFileSync('.env.example', 'utf8')).toBe(envExample());
  });

  it('the table in the README does too', () => {
    const [, , table = ''] = MARKS.exec(readFileSync('README.md', 'utf8')) ?? [];
    expect(rows(table)).toEqual(rows(readmeTable()));
  });
});
