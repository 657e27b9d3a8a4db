import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { advance, raiseFence } from '../../src/modules/merges/advance.js';
import { type ClaimedMerge } from '../../src/modules/merges/claim-merge.js';
import { GitRepository } from '../../src/modules/repositories/git.facade.js';
import { commitTo, git, initRepository } from '../factories/repositories.js';

describe('moving the default branch', () => {
  let base: string;
  let path: string;
  let repository: GitRepository;
  let onto: string;
  let commit: string;
  const job = (fencing_token: number): ClaimedMerge => ({ id: 1, task_id: 2, fencing_token }) as ClaimedMerge;

  beforeAll(() => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'entourage-fence-')));
    const blank = join(base, 'blank');
    for (const part of ['objects', 'refs']) mkdirSync(join(blank, part), { recursive: true });
    writeFileSync(join(blank, 'HEAD'), 'ref: refs/heads/none\n');
    path = initRepository(join(base, 'repo'));
    repository = new GitRepository(path, 'main', blank);
    onto = git(path, 'rev-parse', 'main');
    commit = commitTo(path, 'topic', { a: 'x' });
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it('is refused to whoever had the repository before', async () => {
    const token = await raiseFence(repository, job(1));
    await raiseFence(repository, job(2));
    expect(await advance(repository, job(1), { token, onto, commit })).toBe(false);
    expect(git(path, 'rev-parse', 'main')).toBe(onto);
  });

  it('is refused from where the branch is not any more', async () => {
    const other = commitTo(path, 'other', { b: 'x' });
    const token = await raiseFence(repository, job(3));
    expect(await advance(repository, job(3), { token, onto: commit, commit: other })).toBe(false);
    expect(git(path, 'rev-parse', 'main')).toBe(onto);
  });

  it('happens once, for whoever has it', async () => {
    const token = await raiseFence(repository, job(4));
    expect(await advance(repository, job(4), { token, onto, commit })).toBe(true);
    expect(git(path, 'rev-parse', 'main')).toBe(commit);
    expect(git(path, 'reflog', '-1', '--format=%gs', 'main')).toBe('entourage: merge job 1 of task 2');
  });
});
