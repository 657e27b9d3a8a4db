import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeApiKey, makeMembership, makeTeam, makeUser, makeWorkspace } from '../factories/accounts.js';
import { asUser, withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';

describe('repositories', () => {
  let service: TestService;
  let base: string;
  let root: string;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;

  const git = (directory: string, ...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const makeRepository = async (path: string, branch = 'trunk'): Promise<string> => {
    await mkdir(path, { recursive: true });
    git(path, 'init', '-q', '-b', branch);
    await writeFile(join(path, 'README'), 'hello');
    git(path, 'add', '.');
    git(path, 'commit', '-qm', 'first');
    return path;
  };

  beforeAll(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), 'entourage-repos-')));
    root = join(base, 'repos');
    await mkdir(root);
    service = await startTestService({ ENTOURAGE_REPOS_DIR: root });
    workspace = await makeWorkspace(service.db);
  });
  afterAll(async () => {
    await service.close();
    await rm(base, { recursive: true, force: true });
  });

  const send = (method: 'get' | 'post', path: string, body?: object, key = workspace.key) =>
    service.http[method](`/api/v1${path}`).set(withKey(key)).send(body);
  const validate = async (local_path: string, key?: string) =>
    (await send('post', '/repos/validate', { local_path }, key).expect(200)).body as Record<string, unknown>;
  const register = (body: object, key?: string, team_id = workspace.team.id) =>
    send('post', `/teams/${team_id}/repos`, body, key);
  const NO_REPOSITORY = {
    valid: false,
    is_dirty: false,
    error: expect.stringContaining('not a git repository'),
  };

  it('are told of by git', async () => {
    const path = await makeRepository(join(root, 'told'));
    git(path, 'remote', 'add', 'origin', 'https://user:token@example.com/acme/told.git');
    expect(await validate(path)).toEqual({
      valid: true,
      default_branch: 'trunk',
      current_branch: 'trunk',
      is_dirty: false,
      remote_url: 'https://example.com/acme/told.git',
    });
    git(path, 'branch', 'main');
    git(path, 'checkout', '-q', '-b', 'topic');
    await writeFile(join(path, 'new'), '');
    expect(await validate('told')).toMatchObject({
      default_branch: 'main',
      current_branch: 'topic',
      is_dirty: true,
    });
    git(path, 'checkout', '-q', '--detach');
    expect(await validate(path)).toMatchObject({ valid: true, current_branch: null });
  });

  it('are not what lies outside, is not there, is below or is none: one answer for all', async () => {
    const outside = await makeRepository(join(base, 'outside'));
    const inside = await makeRepository(join(root, 'inside'));
    await mkdir(join(inside, 'below'));
    await mkdir(join(root, 'plain'));
    await mkdir(join(base, 'repos-evil'));
    await symlink(outside, join(root, 'link'));
    for (const path of [
      outside,
      join(root, 'link'),
      join(root, '..', 'outside'),
      join(inside, 'below'),
      join(root, 'plain'),
      join(root, 'nothing'),
      join(base, 'repos-evil'),
      root,
      '/etc',
      '--help',
      '~',
    ]) {
      expect(await validate(path)).toEqual(NO_REPOSITORY);
      const answer = await register({ name: 'x', local_path: path }).expect(422);
      expect(JSON.parse(answer.text)).toMatchObject({ errors: [{ field: 'local_path' }] });
    }
    await send('post', '/repos/validate', { local_path: 'null\0' }).expect(422);
    await send('post', '/repos/validate', {}).expect(422);
  });

  it('start nothing that their own configuration names', async () => {
    const path = await makeRepository(join(root, 'trap'));
    const proof = join(base, 'executed');
    const trap = join(base, 'trap.sh');
    await writeFile(trap, `#!/bin/sh\ntouch ${proof}\ncat\n`, { mode: 0o755 });
    await writeFile(join(path, '.git', 'hooks', 'post-index-change'), `#!/bin/sh\ntouch ${proof}\n`, {
      mode: 0o755,
    });
    await writeFile(join(path, '.gitattributes'), '* filter=evil\n');
    for (const key of [
      'core.fsmonitor',
      'filter.evil.clean',
      'filter.evil.process',
      'core.pager',
      'core.sshCommand',
    ])
      git(path, 'config', key, trap);
    git(path, 'config', 'filter.evil.required', 'true');
    await writeFile(join(path, 'README'), 'jello');
    expect(await validate(path)).toMatchObject({ valid: true, is_dirty: true });
    expect(existsSync(proof)).toBe(false);
  });

  it('are registered under a name of their own in the team, and listed by it', async () => {
    const path = await makeRepository(join(root, 'reg'));
    const { body } = await register({ name: 'beta', local_path: 'reg', config: { a: 1 } }).expect(201);
    expect(body).toEqual({
      id: expect.any(String),
      team_id: workspace.team.id,
      name: 'beta',
      local_path: path,
      default_branch: 'main',
      config: { a: 1 },
      created_at: expect.stringMatching(/Z$/),
    });
    const again = await register({ name: 'beta', local_path: path }).expect(409);
    expect(JSON.parse(again.text)).toMatchObject({ code: 'name_taken' });
    await register({ name: 'alpha', local_path: path, default_branch: 'trunk' }).expect(201);
    const list = await send('get', `/teams/${workspace.team.id}/repos`).expect(200);
    expect(list.body).toMatchObject([{ name: 'alpha', default_branch: 'trunk' }, { name: 'beta' }]);
    const detail = await send('get', `/teams/${workspace.team.id}`).expect(200);
    expect(detail.body.repositories).toEqual(list.body);
    const second = await makeTeam(service.db, workspace.org.id);
    await register({ name: 'beta', local_path: path }, workspace.key, second.id).expect(201);
  });

  it('belong to the organization that registers them first, also when two do at once', async () => {
    const path = await makeRepository(join(root, 'contested'));
    const others = await Promise.all([1, 2, 3].map(() => makeWorkspace(service.db)));
    const answers = await Promise.all(
      others.map(({ team, key }) => register({ name: 'mine', local_path: path }, key, team.id)),
    );
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([201, 422, 422]);
    const first = others[answers.findIndex((answer) => answer.status === 201)]!;
    const paths = async (key: string) =>
      ((await send('get', '/repos/scan', undefined, key).expect(200)).body as { path: string }[]).map(
        (found) => found.path,
      );
    for (const { key } of others) {
      const isFirst = key === first.key;
      expect(await validate(path, key)).toMatchObject({ valid: isFirst });
      expect((await paths(key)).includes(path)).toBe(isFirst);
    }
  });

  it('are found below the directory, links not followed', async () => {
    const path = await makeRepository(join(root, 'group', 'deep', 'found'));
    await makeRepository(join(path, 'nested'));
    const { body } = await send('get', '/repos/scan').expect(200);
    const found = (body as { path: string }[]).filter((one) => one.path.startsWith(join(root, 'group')));
    expect(found).toEqual([
      { name: 'found', path, default_branch: 'trunk', remote_url: null, is_dirty: true },
    ]);
    expect(body).not.toContainEqual(expect.objectContaining({ name: 'link' }));
    expect(body).not.toContainEqual(expect.objectContaining({ name: 'plain' }));
  });

  it('are looked at by who may register them', async () => {
    const own = await makeApiKey(service.db, workspace.org.id, ['all'], { agent_id: workspace.agent.id });
    const member = await makeUser(service.db);
    await makeMembership(service.db, workspace.org.id, member.id, 'member');
    const stranger = await makeUser(service.db);
    for (const headers of [withKey(own.key), asUser(member), asUser(stranger)]) {
      await service.http.get('/api/v1/repos/scan').set(headers).expect(403);
      await service.http.post('/api/v1/repos/validate').set(headers).send({ local_path: 'x' }).expect(403);
    }
  });

  it('are switched off without a directory for them', async () => {
    const without = await startTestService();
    try {
      const { team, key } = await makeWorkspace(without.db);
      const post = (path: string) =>
        without.http.post(`/api/v1${path}`).set(withKey(key)).send({ name: 'x', local_path: '/etc' });
      for (const path of ['/repos/validate', `/teams/${team.id}/repos`])
        expect((await post(path).expect(422)).text).toContain('ENTOURAGE_REPOS_DIR');
      expect((await without.http.get('/api/v1/repos/scan').set(withKey(key)).expect(200)).body).toEqual([]);
    } finally {
      await without.close();
    }
  });
});
