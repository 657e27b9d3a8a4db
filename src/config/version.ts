import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function findVersion(directory: string): string {
  const file = join(directory, 'package.json');
  if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  const parent = dirname(directory);
  return parent === directory ? 'unknown' : findVersion(parent);
}

/** The version in the nearest package.json above: sources and build lie at different depths. */
export const VERSION = findVersion(import.meta.dirname);
