import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DataSource } from 'typeorm';
import { newId } from '../../src/database/new-id.js';
import { CodeRepository } from '../../src/modules/repositories/repository.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';

/** Runs git as a person at the machine would. @returns what it printed. */
export const git = (directory: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' },
  }).trimEnd();

/** Writes files and commits them, in a checkout that is there already. @returns the commit. */
export function commit(directory: string, files: Record<string, string>, message = 'change'): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  git(directory, 'add', '--all');
  git(directory, 'commit', '-qm', message);
  return git(directory, 'rev-parse', 'HEAD');
}

/** Commits to a branch that is checked out nowhere, made from `main` if need be. @returns the commit. */
export function commitTo(
  repository: string,
  branch: string,
  files: Record<string, string>,
  message = 'change',
): string {
  const place = join(dirname(repository), `.commit-${newId()}`);
  const isThere = git(repository, 'for-each-ref', `refs/heads/${branch}`) !== '';
  git(repository, 'worktree', 'add', '-q', ...(isThere ? [place, branch] : ['-b', branch, place, 'main']));
  const made = commit(place, files, message);
  git(repository, 'worktree', 'remove', '--force', place);
  return made;
}

/** A repository on the disk whose branch `main` has one commit. */
export function initRepository(path: string, files: Record<string, string> = { README: 'hello\n' }): string {
  mkdirSync(path, { recursive: true });
  git(path, 'init', '-q', '-b', 'main');
  commit(path, files, 'first');
  return path;
}

/** One that a team has registered. */
export async function makeRepository(
  db: DataSource,
  team: Pick<Team, 'id' | 'org_id'>,
  path: string,
  values: Partial<CodeRepository> = {},
): Promise<CodeRepository> {
  initRepository(path);
  return db.getRepository(CodeRepository).save({
    id: newId(),
    org_id: team.org_id,
    team_id: team.id,
    name: path.split('/').at(-1)!,
    local_path: path,
    default_branch: 'main',
    config: {},
    ...values,
  });
}
