import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { inspectRepository, type RepositoryFacts } from './inspect-repository.js';

const MAX_DEPTH = 4;
const MAX_DIRECTORIES = 2_000;
const MAX_REPOSITORIES = 200;
const MAX_MS = 15_000;
const AT_ONCE = 4;

export interface FoundRepository extends RepositoryFacts {
  name: string;
  path: string;
}

/**
 * Working trees under `root`, nearest first, by path. Bounded in depth, number and time; links are not followed and
 * what lies inside a repository is not looked at.
 */
export async function scanRepositories(
  root: string,
  isWanted: (path: string) => boolean,
): Promise<FoundRepository[]> {
  const deadline = Date.now() + MAX_MS;
  const paths = (await findWorkingTrees(root, deadline)).filter(isWanted).slice(0, MAX_REPOSITORIES);
  const found: FoundRepository[] = [];
  for (let start = 0; start < paths.length && Date.now() < deadline; start += AT_ONCE) {
    const group = paths.slice(start, start + AT_ONCE);
    const facts = await Promise.all(group.map((path) => inspectRepository(path)));
    group.forEach((path, index) => {
      const fact = facts[index];
      if (fact) found.push({ name: basename(path), path, ...fact });
    });
  }
  return found;
}

async function findWorkingTrees(root: string, deadline: number): Promise<string[]> {
  const found: string[] = [];
  let level = [root];
  let looked = 0;
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0; depth++) {
    const next: string[] = [];
    for (const directory of level) {
      if (++looked > MAX_DIRECTORIES || Date.now() > deadline) return found.sort();
      const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
      if (depth > 0 && entries.some((entry) => entry.name === '.git')) found.push(directory);
      else
        next.push(
          ...entries
            .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
            .map((entry) => join(directory, entry.name)),
        );
    }
    level = next;
  }
  return found.sort();
}
