import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CodeRepository } from '../../src/modules/repositories/repository.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeTeam, makeWorkspace } from '../factories/accounts.js';
import { commit, commitTo, git, initRepository, makeRepository } from '../factories/repositories.js';
import { makeTask } from '../factories/tasks.js';
import { withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';

describe('a task in a repository', () => {
  let service: TestService;
  let base: string;
  let root: string;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let repository: CodeRepository;
  let task: Task;
  let count = 0;

  beforeAll(async () => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'entourage-worktrees-')));
    root = join(base, 'repos');
    mkdirSync(root);
    service = await startTestService({ ENTOURAGE_REPOS_DIR: root, ENTOURAGE_DB_POOL_SIZE: 25 });
    workspace = await makeWorkspace(service.db);
  });
  afterAll(async () => {
    await service.close();
    rmSync(base, { recursive: true, force: true });
  });
  beforeEach(async () => {
    count += 1;
    repository = await makeRepository(service.db, workspace.team, join(root, `repo-${count}`));
    task = await makeTask(service.db, workspace.team, {
      branch: `task-${count}-fix`,
      assignee_id: workspace.agent.id,
    });
  });

  const call = (
    method: 'get' | 'post' | 'delete',
    what: string,
    query: Record<string, string> = {},
    key = workspace.key,
  ) =>
    service.http[method](`/api/v1/tasks/${task.id}/${what}`)
      .query({ repo_id: repository.id, ...query })
      .set(withKey(key));
  const path = (): string => join(repository.local_path, '.worktrees', task.branch);

  describe('has a worktree', () => {
    it('that is made, found, made again and removed; the branch stays', async () => {
      const view = {
        path: path(),
        branch: task.branch,
        repo_path: repository.local_path,
        repo_name: repository.name,
      };
      expect((await call('get', 'worktree').expect(200)).body).toEqual({ ...view, exists: false });
      expect((await call('post', 'worktree').expect(200)).body).toEqual({ ...view, exists: true });
      expect(readFileSync(join(path(), 'README'), 'utf8')).toBe('hello\n');
      expect(git(path(), 'status', '--porcelain')).toBe('');
      expect(git(path(), 'branch', '--show-current')).toBe(task.branch);
      expect(git(repository.local_path, 'status', '--porcelain')).toBe('');
      const made = commit(path(), { new: 'x' });
      expect((await call('post', 'worktree').expect(200)).body).toEqual({ ...view, exists: true });
      expect(existsSync(join(path(), 'new'))).toBe(true);
      expect((await call('delete', 'worktree').expect(200)).body).toEqual({ removed: true });
      expect((await call('delete', 'worktree').expect(200)).body).toEqual({ removed: false });
      expect(existsSync(path())).toBe(false);
      expect(git(repository.local_path, 'worktree', 'list').split('\n')).toHaveLength(1);
      await call('post', 'worktree').expect(200);
      expect(git(path(), 'rev-parse', 'HEAD')).toBe(made);
    });

    it('that twenty ask for at once and is one', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => call('post', 'worktree')));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      expect(git(repository.local_path, 'worktree', 'list').split('\n')).toHaveLength(2);
      expect(git(path(), 'status', '--porcelain')).toBe('');
      const excluded = readFileSync(join(repository.local_path, '.git/info/exclude'), 'utf8').split('\n');
      expect(excluded.filter((line) => line === '/.worktrees/')).toHaveLength(1);
    });

    it('that is made anew when its maker died before it was whole, or somebody removed it by hand', async () => {
      git(repository.local_path, 'worktree', 'add', '-q', '--no-checkout', '-b', task.branch, path(), 'main');
      writeFileSync(join(repository.local_path, '.git/worktrees', task.branch, 'locked'), 'initializing');
      writeFileSync(join(path(), 'README'), 'half');
      expect((await call('get', 'worktree')).body).toMatchObject({ exists: false });
      await call('post', 'worktree').expect(200);
      expect(git(path(), 'status', '--porcelain')).toBe('');
      rmSync(path(), { recursive: true });
      expect((await call('get', 'worktree')).body).toMatchObject({ exists: false });
      await call('post', 'worktree').expect(200);
      expect(git(path(), 'status', '--porcelain')).toBe('');
    });

    it('that starts nothing which the repository names', async () => {
      const proof = join(base, 'executed');
      const trap = join(base, 'trap.sh');
      writeFileSync(trap, `#!/bin/sh\ntouch ${proof}\ncat\n`, { mode: 0o755 });
      for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'pre-push'])
        writeFileSync(join(repository.local_path, '.git/hooks', hook), `#!/bin/sh\ntouch ${proof}\n`, {
          mode: 0o755,
        });
      commitTo(repository.local_path, task.branch, {
        '.gitattributes': '* filter=evil diff=evil merge=evil\n',
        code: 'x\n',
      });
      rmSync(proof, { force: true });
      for (const key of [
        'filter.evil.smudge',
        'filter.evil.clean',
        'filter.evil.process',
        'diff.evil.command',
      ])
        git(repository.local_path, 'config', key, trap);
      for (const key of [
        'diff.evil.textconv',
        'diff.external',
        'core.fsmonitor',
        'core.pager',
        'gpg.program',
      ])
        git(repository.local_path, 'config', key, trap);
      git(repository.local_path, 'config', 'log.showSignature', 'true');
      await call('post', 'worktree').expect(200);
      for (const what of ['diff', 'files', 'commits']) await call('get', what).expect(200);
      await call('get', 'file', { path: 'code' }).expect(200);
      await call('delete', 'worktree').expect(200);
      expect(existsSync(proof)).toBe(false);
    });

    it('never outside its repository, nor over what is somebody else’s', async () => {
      const outside = join(base, `outside-${count}`);
      mkdirSync(outside);
      symlinkSync(outside, join(repository.local_path, '.worktrees'));
      expect((await call('post', 'worktree').expect(409)).body).toMatchObject({ code: 'git_failed' });
      rmSync(join(repository.local_path, '.worktrees'));
      mkdirSync(path(), { recursive: true });
      writeFileSync(join(path(), 'mine'), 'x');
      await call('post', 'worktree').expect(409);
      expect((await call('delete', 'worktree').expect(200)).body).toEqual({ removed: false });
      expect(readFileSync(join(path(), 'mine'), 'utf8')).toBe('x');
    });

    it.each([
      '--upload-pack=touch',
      '-b',
      '../escape',
      'a/../../b',
      'a b',
      'a..b',
      'a~1',
      'a:b',
      'a\\b',
      'HEAD',
      'x.lock',
      '.hidden',
      'a//b',
      '/abs',
      'a/',
      "a'b",
      'a$(id)',
      'a\nb',
      '@{-1}',
    ])('only for a branch whose name is harmless: not %j', async (branch) => {
      await service.db.getRepository(Task).update(task.id, { branch });
      for (const [method, what] of [
        ['post', 'worktree'],
        ['get', 'diff'],
        ['post', 'push'],
      ] as const)
        expect((await call(method, what).expect(409)).body).toMatchObject({ code: 'branch_name_unusable' });
    });

    it('under a name with directories and letters of any alphabet', async () => {
      task.branch = `größe/über+1_${count}.x#2`;
      await service.db.getRepository(Task).update(task.id, { branch: task.branch });
      await call('post', 'worktree').expect(200);
      expect(git(path(), 'branch', '--show-current')).toBe(task.branch);
      expect((await call('delete', 'worktree')).body).toEqual({ removed: true });
    });

    it('not where the repository has gone, or a link has come into its path', async () => {
      const moved = `${repository.local_path}-moved`;
      git(root, 'clone', '-q', repository.local_path, moved);
      rmSync(repository.local_path, { recursive: true });
      const gone = await call('post', 'worktree').expect(409);
      expect(gone.body).toMatchObject({ code: 'repository_unavailable' });
      symlinkSync(moved, repository.local_path);
      await call('post', 'worktree').expect(409);
      rmSync(repository.local_path);
      git(moved, 'worktree', 'add', '-q', '-b', 'linked', repository.local_path);
      await call('post', 'worktree').expect(409);
    });
  });

  describe('is read from its commits', () => {
    it('as a diff, files and commits since it left the default branch', async () => {
      commit(repository.local_path, { keep: 'a\nb\nc\nd\n', gone: 'x\n', moved: '1\n2\n3\n4\n5\n' });
      commitTo(repository.local_path, task.branch, { 'sub/new ü.txt': 'one\ntwo\n', keep: 'a\nB\nc\nd\n' });
      const place = join(base, `place-${count}`);
      git(repository.local_path, 'worktree', 'add', '-q', place, task.branch);
      git(place, 'mv', 'moved', 'moved-away');
      git(place, 'rm', '-q', 'gone');
      writeFileSync(join(place, 'picture'), Buffer.from([0, 255, 1, 254]));
      const tip = commit(place, {}, 'second\n\nwith a body');
      commit(repository.local_path, { later: 'on main\n' });
      const { body: diff } = await call('get', 'diff').expect(200);
      expect(diff).toMatchObject({ truncated: false });
      expect(diff.diff).toContain('+B\n');
      expect(diff.diff).toContain('Binary files');
      expect(diff.diff).not.toContain('on main');
      expect((await call('get', 'files').expect(200)).body).toEqual([
        { path: 'gone', status: 'D', additions: 0, deletions: 1, binary: false },
        { path: 'keep', status: 'M', additions: 1, deletions: 1, binary: false },
        { path: 'moved-away', status: 'R', additions: 0, deletions: 0, binary: false, old_path: 'moved' },
        { path: 'picture', status: 'A', additions: 0, deletions: 0, binary: true },
        { path: 'sub/new ü.txt', status: 'A', additions: 2, deletions: 0, binary: false },
      ]);
      const { body: commits } = await call('get', 'commits').expect(200);
      expect(commits).toEqual([
        {
          hash: tip,
          author_name: 'Ada',
          author_email: 'ada@example.com',
          message: 'second\n\nwith a body',
          date: expect.stringMatching(/^\d{4}-.*T/),
        },
        expect.objectContaining({ message: 'change' }),
      ]);
      expect((await call('get', 'commits', { limit: '1' })).body).toHaveLength(1);
      await call('get', 'commits', { limit: '0' }).expect(422);
      expect((await call('get', 'file', { path: 'sub/new ü.txt' })).body).toEqual({
        path: 'sub/new ü.txt',
        content: 'one\ntwo\n',
        encoding: 'utf-8',
        size: 8,
        truncated: false,
      });
      expect((await call('get', 'file', { path: 'picture' })).body).toMatchObject({
        content: 'AP8B/g==',
        encoding: 'base64',
      });
    });

    it('and cut where they are too much', async () => {
      commitTo(repository.local_path, task.branch, { large: 'line\n'.repeat(500_000) });
      const { body } = await call('get', 'diff').expect(200);
      expect(body.truncated).toBe(true);
      expect(body.diff.length).toBe(1_048_576);
      expect((await call('get', 'file', { path: 'large' })).body).toMatchObject({
        size: 2_500_000,
        truncated: true,
      });
      expect((await call('get', 'files')).body).toMatchObject([{ additions: 500_000 }]);
    });

    it('and not by ways that lead elsewhere', async () => {
      const place = join(base, `place-${count}`);
      git(repository.local_path, 'worktree', 'add', '-q', '-b', task.branch, place);
      symlinkSync('/etc/passwd', join(place, 'link'));
      symlinkSync('/etc', join(place, 'directory'));
      commit(place, { 'sub/file': 'x' });
      for (const bad of ['../README', '/etc/passwd', 'sub/../../x', './README', 'sub//file', 'sub/', '.', ''])
        await call('get', 'file', { path: bad }).expect(422);
      for (const none of [
        'nothing',
        'sub',
        'directory/passwd',
        '.git/config',
        '--help',
        ':README',
        'README^{}',
      ])
        expect((await call('get', 'file', { path: none }).expect(404)).body).toMatchObject({
          code: 'file_not_found',
        });
      expect((await call('get', 'file', { path: 'link' })).body).toMatchObject({ content: '/etc/passwd' });
      await call('get', 'file', { path: 'null\0' }).expect(422);
    });

    it('but not before there is a branch, nor from another team’s repository', async () => {
      for (const what of ['diff', 'files', 'commits'])
        expect((await call('get', what).expect(404)).body).toMatchObject({ code: 'branch_not_found' });
      await call('get', 'diff', { repo_id: 'x' }).expect(422);
      const other = await makeTeam(service.db, workspace.org.id);
      const foreign = await makeRepository(service.db, other, join(root, `foreign-${count}`));
      const answer = await call('get', 'diff', { repo_id: foreign.id }).expect(404);
      expect(answer.body).toMatchObject({ code: 'repository_not_found' });
    });
  });

  describe('is pushed', () => {
    const bare = (name = `remote-${count}`): string => {
      const remote = join(root, `${name}.git`);
      git(root, 'clone', '-q', '--bare', repository.local_path, remote);
      return remote;
    };

    it('to a remote, by force only over what was pushed before', async () => {
      const remote = bare();
      const proof = join(base, 'hook-ran');
      writeFileSync(join(remote, 'hooks/update'), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
      git(repository.local_path, 'remote', 'add', 'origin', remote);
      const first = commitTo(repository.local_path, task.branch, { a: '1' });
      expect((await call('post', 'push').expect(200)).body).toEqual({ pushed: true, branch: task.branch });
      expect(git(remote, 'rev-parse', task.branch)).toBe(first);
      expect(git(repository.local_path, 'rev-parse', `origin/${task.branch}`)).toBe(first);
      git(repository.local_path, 'branch', '-qf', task.branch, 'main');
      const second = commitTo(repository.local_path, task.branch, { a: '2' });
      expect((await call('post', 'push').expect(409)).body).toMatchObject({ code: 'push_rejected' });
      await call('post', 'push', { force: 'true' }).expect(200);
      expect(git(remote, 'rev-parse', task.branch)).toBe(second);
      const theirs = commitTo(remote, task.branch, { a: 'theirs' });
      git(repository.local_path, 'branch', '-qf', task.branch, 'main');
      commitTo(repository.local_path, task.branch, { a: '3' });
      const stale = await call('post', 'push', { force: 'true' }).expect(409);
      expect(stale.body).toMatchObject({ code: 'push_rejected', detail: expect.stringContaining('stale') });
      expect(git(remote, 'rev-parse', task.branch)).toBe(theirs);
      expect(existsSync(proof)).toBe(false);
    });

    it('but not as the default branch, and not to what is no remote', async () => {
      const remote = bare();
      git(repository.local_path, 'remote', 'add', 'origin', remote);
      await call('post', 'push').expect(404);
      commitTo(repository.local_path, task.branch, { a: '1' });
      await call('post', 'push', { remote: '--upload-pack=touch' }).expect(422);
      await call('post', 'push', { remote: 'nowhere' }).expect(409);
      await service.db.getRepository(Task).update(task.id, { branch: 'main' });
      const refused = await call('post', 'push', { force: 'true' }).expect(409);
      expect(refused.body).toMatchObject({ code: 'branch_protected' });
    });

    it('only by https, by ssh, or to a repository that is not another tenant’s', async () => {
      commitTo(repository.local_path, task.branch, { a: '1' });
      const proof = join(base, 'transport');
      const outside = join(base, `outside-${count}.git`);
      git(base, 'clone', '-q', '--bare', repository.local_path, outside);
      const theirs = await makeWorkspace(service.db);
      const foreign = await makeRepository(service.db, theirs.team, join(root, `tenant-${count}`));
      symlinkSync(foreign.local_path, join(root, `way-${count}`));
      for (const url of [
        `ext::sh -c "touch ${proof}"`,
        outside,
        `file://${outside}`,
        '../../outside',
        foreign.local_path,
        join(foreign.local_path, '.git'),
        join(root, `way-${count}`),
        'http://127.0.0.1/x.git',
        'git://127.0.0.1/x.git',
        '-oProxyCommand=touch',
        'ssh://-oProxyCommand=touch/x',
      ]) {
        git(repository.local_path, 'config', 'remote.origin.url', url);
        expect([url, (await call('post', 'push')).body]).toEqual([
          url,
          expect.objectContaining({ code: 'git_failed' }),
        ]);
      }
      git(repository.local_path, 'config', 'remote.origin.url', 'https://user:s3cret@127.0.0.1:1/x.git');
      const unreachable = await call('post', 'push').expect(502);
      expect(unreachable.body).toMatchObject({ code: 'git_remote_failed' });
      expect(unreachable.text).not.toContain('s3cret');
      expect(existsSync(proof)).toBe(false);
      expect(git(foreign.local_path, 'branch', '--list', task.branch)).toBe('');
    });
  });

  it('is worked on by the agent it is assigned to, and read by its team', async () => {
    const own = (await makeApiKey(service.db, workspace.org.id, ['agent'], { agent_id: workspace.agent.id }))
      .key;
    const colleague = await makeAgent(service.db, workspace.team, { role: 'reviewer' });
    const { key } = await makeApiKey(service.db, workspace.org.id, ['agent'], { agent_id: colleague.id });
    await call('post', 'worktree', {}, own).expect(200);
    commit(path(), { a: '1' });
    await call('get', 'diff', {}, key).expect(200);
    await call('get', 'worktree', {}, key).expect(200);
    for (const [method, what] of [
      ['post', 'worktree'],
      ['delete', 'worktree'],
      ['post', 'push'],
    ] as const)
      await call(method, what, {}, key).expect(403);
    await call('delete', 'worktree', {}, own).expect(200);
  });

  it('is refused where the service has no directory for repositories', async () => {
    const without = await startTestService();
    try {
      const { team, key } = await makeWorkspace(without.db);
      const path = initRepository(join(base, 'loose'));
      const row = await without.db
        .getRepository('CodeRepository')
        .save({ ...repository, org_id: team.org_id, team_id: team.id, local_path: path });
      const { id } = await makeTask(without.db, team);
      await without.http
        .post(`/api/v1/tasks/${id}/worktree`)
        .query({ repo_id: row['id'] })
        .set(withKey(key))
        .expect(409);
    } finally {
      await without.close();
    }
  });
});
