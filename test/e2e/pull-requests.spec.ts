import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAgent, makeApiKey, makeWorkspace } from '../factories/accounts.js';
import { saveToken, startGithubService } from '../factories/github.js';
import { git, makeRepository } from '../factories/repositories.js';
import { makeTask } from '../factories/tasks.js';
import { GithubServer } from '../support/github-server.js';
import { withKey } from '../support/login.js';
import { type TestService } from '../support/service.js';

describe('the pull request of a task', () => {
  let root: string;
  let github: GithubServer;
  let service: TestService;
  beforeAll(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'entourage-pulls-')));
    github = await GithubServer.start();
    service = await startGithubService({ ENTOURAGE_REPOS_DIR: root });
  });
  afterAll(async () => {
    await service.close();
    await github.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('is opened once, with the credentials of its organization, and found', async () => {
    const workspace = await makeWorkspace(service.db);
    const repository = await makeRepository(service.db, workspace.team, join(root, 'app'));
    const task = await makeTask(service.db, workspace.team, { branch: 'task-1-fix' });
    const post = (body: object = {}, key = workspace.key) =>
      service.http
        .post(`/api/v1/tasks/${task.id}/pr`)
        .set(withKey(key))
        .send({ repo_id: repository.id, ...body });
    const get = () => service.http.get(`/api/v1/tasks/${task.id}/pr`).set(withKey(workspace.key));
    expect((await get().expect(404)).body).toMatchObject({ detail: 'No PR found for this task' });
    expect((await post().expect(409)).body).toMatchObject({ code: 'git_failed' });
    git(
      repository.local_path,
      'remote',
      'add',
      'origin',
      'https://user:s3cret@github.example.com/acme/app.git',
    );
    expect((await post().expect(404)).body).toMatchObject({ code: 'github_credentials_not_found' });
    await saveToken(service, workspace, github);
    const { body } = await post({ body: 'See the task', draft: true }).expect(201);
    const [pull] = [...github.pulls.values()];
    expect(pull).toMatchObject({
      head: 'task-1-fix',
      base: 'main',
      title: task.title,
      body: 'See the task',
      draft: true,
    });
    expect(body).toEqual({ pr_url: pull.html_url, pr_number: pull.number });
    expect((await post().expect(201)).body).toEqual(body);
    expect((await get().expect(200)).body).toEqual(body);
    expect(github.pulls.size).toBe(1);
    await post({ base_branch: '--evil' }).expect(409);
    github.fail({ matches: ({ path }) => path.endsWith('/pulls'), kind: 'status', status: 403 });
    expect((await post().expect(502)).body).toMatchObject({ code: 'git_remote_failed' });
    const colleague = await makeAgent(service.db, workspace.team);
    const { key } = await makeApiKey(service.db, workspace.org.id, ['agent'], { agent_id: colleague.id });
    await post({}, key).expect(403);
  });
});
