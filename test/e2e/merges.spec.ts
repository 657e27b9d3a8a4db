import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MergeJob } from '../../src/modules/merges/merge-job.entity.js';
import { CodeRepository } from '../../src/modules/repositories/repository.entity.js';
import { Review } from '../../src/modules/reviews/review.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeAgent, makeApiKey, makeWorkspace } from '../factories/accounts.js';
import { approve, makeApproved } from '../factories/merges.js';
import { commit, commitTo, git, makeRepository } from '../factories/repositories.js';
import { makeTask } from '../factories/tasks.js';
import { withKey } from '../support/login.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('the merge queue', () => {
  let service: TestService;
  let base: string;
  let root: string;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let repository: CodeRepository;
  let path: string;
  let count = 0;

  const go = (): string => join(base, 'go');
  const began = (): string => join(base, 'began');

  beforeAll(async () => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'entourage-merges-')));
    root = join(base, 'repos');
    mkdirSync(root);
    const sh = (script: string, more: object = {}) => ({ argv: ['/bin/sh', '-c', script], ...more });
    const commands = {
      pass: sh(
        'echo checked $ENTOURAGE_TASK_ID on $(git log -1 --format=%H) in $(pwd); env; test -f new; git status --porcelain',
      ),
      fail: sh('echo this does not work; exit 3'),
      slow: sh('echo slow; sleep 600', { timeout_seconds: 1 }),
      wait: sh(`touch ${began()}; while [ ! -e ${go()} ]; do sleep 0.02; done`),
    };
    writeFileSync(join(base, 'commands.json'), JSON.stringify(commands));
    service = await startTestService({
      ENTOURAGE_REPOS_DIR: root,
      ENTOURAGE_COMMANDS_FILE: join(base, 'commands.json'),
      ENTOURAGE_POLL_SECONDS: 60,
    });
    workspace = await makeWorkspace(service.db);
  });
  afterAll(async () => {
    await service.close();
    rmSync(base, { recursive: true, force: true });
  });
  beforeEach(async () => {
    count += 1;
    for (const file of [go(), began()]) rmSync(file, { force: true });
    path = join(root, `repo-${count}`);
    repository = await makeRepository(service.db, workspace.team, path);
  });

  const send = (method: 'get' | 'post', task: Task, what: string, query: object = {}, key = workspace.key) =>
    service.http[method](`/api/v1/tasks/${task.id}/${what}`).query(query).set(withKey(key));
  const merge = (task: Task, query: object = {}, key?: string) =>
    send('post', task, 'merge', { repo_id: repository.id, ...query }, key);
  const job = (id: number): Promise<MergeJob> => service.db.getRepository(MergeJob).findOneByOrFail({ id });
  const ended = (id: number): Promise<MergeJob> =>
    until(async () => {
      const found = await job(id);
      return found.completed_at !== null && found;
    }, `merge job ${id} to end`);
  const reload = (task: Task): Promise<Task> =>
    service.db.getRepository(Task).findOneByOrFail({ id: task.id });
  const configure = (config: object) =>
    service.db.getRepository(CodeRepository).update(repository.id, { config });
  const events = async (
    task: Task,
  ): Promise<{ type: string; data: Record<string, unknown>; metadata: object }[]> =>
    service.db.query('SELECT type, data, metadata FROM task_events WHERE task_id = $1 ORDER BY id', [
      task.id,
    ]);
  const subjects = (): string[] => git(path, 'log', '--format=%s', '--first-parent', 'main').split('\n');
  const expectTidy = (): void => {
    expect(git(path, 'status', '--porcelain')).toBe('');
    expect(
      existsSync(join(path, '.worktrees/.merges')) ? git(path, 'worktree', 'list').split('\n') : ['x'],
    ).toHaveLength(1);
    expect(git(path, 'rev-parse', 'HEAD')).toBe(git(path, 'rev-parse', 'main'));
  };

  describe('merges', () => {
    it.each(['rebase', 'merge', 'squash'] as const)('by %s', async (strategy) => {
      const { task, head } = await makeApproved(
        service.db,
        repository,
        { new: 'x\n' },
        { assignee_id: workspace.agent.id, title: 'Fix\n\u0007 `id` $(x)  it' },
      );
      const onto = commit(path, { other: 'y\n' }, 'on main');
      expect((await send('get', task, 'merge-status').expect(200)).body).toEqual({
        task_id: task.id,
        review_verdict: 'approve',
        review_attempt: 1,
        merge_jobs: [],
        can_merge: true,
      });
      const { body } = await merge(task, { strategy }).expect(201);
      expect(body).toMatchObject({ status: 'queued', strategy, head_commit: head, task_id: task.id });
      const done = await ended(body.id);
      expect(done).toMatchObject({
        status: 'success',
        error: null,
        merge_commit: git(path, 'rev-parse', 'main'),
      });
      expect(await reload(task)).toMatchObject({ status: 'done', last_error: null });
      expect(readFileSync(join(path, 'new'), 'utf8')).toBe('x\n');
      expectTidy();
      const told = git(path, 'log', '-1', '--format=%an <%ae>|%cn <%ce>|%P|%s', 'main').split('|');
      const entourage = 'Entourage <no-reply@entourage.invalid>';
      const ada = 'Ada <ada@example.com>';
      expect(told).toEqual(
        {
          rebase: [ada, entourage, onto, git(path, 'log', '-1', '--format=%s', head)],
          merge: [entourage, entourage, `${onto} ${head}`, `Merge task ${task.id}: Fix \`id\` $(x) it`],
          squash: [entourage, entourage, onto, `Fix \`id\` $(x) it (task ${task.id})`],
        }[strategy],
      );
      const trail = await events(task);
      expect(trail.map(({ type, data }) => (type === 'task.status_changed' ? data['to'] : type))).toEqual([
        'merge.queued',
        'merging',
        'merge.started',
        'merge.succeeded',
        'done',
      ]);
      for (const { metadata } of trail)
        expect(metadata).toMatchObject({ correlation_id: task.correlation_id });
      const status = await send('get', task, 'merge-status');
      expect(status.body).toMatchObject({
        can_merge: false,
        merge_jobs: [{ id: body.id, status: 'success' }],
      });
    });

    it('a branch that could have been moved forward, without making its commits anew', async () => {
      const { task, head } = await makeApproved(service.db, repository, { new: 'x\n' });
      await ended((await merge(task).expect(201)).body.id);
      expect(git(path, 'rev-parse', 'main')).toBe(head);
    });

    it('what is merged already: there is nothing left to do', async () => {
      const { task, head } = await makeApproved(service.db, repository, { new: 'x\n' });
      git(path, 'merge', '-q', '--no-ff', '-m', 'by hand', head);
      const tip = git(path, 'rev-parse', 'main');
      expect(await ended((await merge(task).expect(201)).body.id)).toMatchObject({ status: 'success' });
      expect(git(path, 'rev-parse', 'main')).toBe(tip);
      expect((await reload(task)).status).toBe('done');
    });

    it('many tasks into one repository, in order, and all are in', async () => {
      const approved = [];
      for (let n = 0; n < 12; n += 1)
        approved.push(
          await makeApproved(service.db, repository, { [`file-${n}`]: `${n}\n`, [`d/${n}/x`]: 'y' }),
        );
      const strategies = ['rebase', 'merge', 'squash'];
      const answers = await Promise.all(
        approved.map(({ task }, n) => merge(task, { strategy: strategies[n % 3] }).expect(201)),
      );
      const jobs = await Promise.all(answers.map(({ body }) => ended(body.id)));
      expect(jobs.map(({ status, error }) => [status, error])).toEqual(jobs.map(() => ['success', null]));
      for (let n = 0; n < 12; n += 1) expect(readFileSync(join(path, `file-${n}`), 'utf8')).toBe(`${n}\n`);
      expect(subjects()).toHaveLength(13);
      const byStart = jobs.toSorted((a, b) => a.started_at!.getTime() - b.started_at!.getTime());
      expect(byStart.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id).toSorted((a, b) => a - b));
      for (const [n, one] of byStart.entries())
        expect(one.started_at!.getTime()).toBeGreaterThanOrEqual(
          byStart[n - 1]?.completed_at?.getTime() ?? 0,
        );
      expectTidy();
    }, 60_000);

    it('other repositories meanwhile', async () => {
      const second = await makeRepository(service.db, workspace.team, `${path}-second`);
      await configure({ checks: 'wait' });
      const { task } = await makeApproved(
        service.db,
        repository,
        { new: 'x\n' },
        { repo_ids: [repository.id] },
      );
      const other = await makeApproved(service.db, second, { new: 'x\n' }, { repo_ids: [second.id] });
      const { body: first } = await merge(task).expect(201);
      await until(() => existsSync(began()), 'the checks to begin');
      const { body } = await merge(other.task, { repo_id: second.id }).expect(201);
      expect(await ended(body.id)).toMatchObject({ status: 'success' });
      expect((await job(first.id)).status).toBe('running');
      writeFileSync(go(), '');
      expect(await ended(first.id)).toMatchObject({ status: 'success' });
    });

    it('a task of several repositories: done when all of it is in', async () => {
      const second = await makeRepository(service.db, workspace.team, `${path}-second`);
      const third = await makeRepository(service.db, workspace.team, `${path}-third`);
      const { task } = await makeApproved(
        service.db,
        repository,
        { new: 'x\n' },
        { status: 'in_review', repo_ids: [repository.id, second.id, third.id] },
      );
      await service.db.getRepository(Review).delete({ task_id: task.id });
      commitTo(second.local_path, task.branch, { there: 'too\n' });
      await send('post', task, 'reviews').send({}).expect(201);
      await send('post', task, 'approve').send({}).expect(200);
      await ended((await merge(task).expect(201)).body.id);
      expect((await reload(task)).status).toBe('merging');
      expect(await ended((await merge(task, { repo_id: second.id }).expect(201)).body.id)).toMatchObject({
        status: 'success',
      });
      expect((await reload(task)).status).toBe('done');
    });

    it('and pushes to the remote that the repository names; a push that fails undoes nothing', async () => {
      const remote = `${path}.git`;
      git(root, 'clone', '-q', '--bare', path, remote);
      git(path, 'remote', 'add', 'origin', remote);
      await configure({ push_remote: 'origin' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      expect(await ended((await merge(task)).body.id)).toMatchObject({ status: 'success', error: null });
      expect(git(remote, 'rev-parse', 'main')).toBe(git(path, 'rev-parse', 'main'));
      rmSync(remote, { recursive: true });
      const second = await makeApproved(service.db, repository, { second: 'x\n' });
      expect(await ended((await merge(second.task)).body.id)).toMatchObject({
        status: 'success',
        error: expect.stringContaining('Merged, but not pushed to origin'),
      });
      expect((await reload(second.task)).status).toBe('done');
    });
  });

  describe('refuses', () => {
    it.each(['rebase', 'merge', 'squash'] as const)(
      'a conflict by %s, naming the files',
      async (strategy) => {
        const { task } = await makeApproved(
          service.db,
          repository,
          { README: 'theirs\n', new: 'x\n' },
          { assignee_id: workspace.agent.id },
        );
        const tip = commit(path, { README: 'ours\n' });
        const failed = await ended((await merge(task, { strategy }).expect(201)).body.id);
        expect(failed).toMatchObject({
          status: 'failed',
          error: 'The branch conflicts with the default branch in README',
          merge_commit: null,
        });
        expect(git(path, 'rev-parse', 'main')).toBe(tip);
        expectTidy();
        expect(await reload(task)).toMatchObject({
          status: 'todo',
          last_error: failed.error,
          hold_reason: null,
        });
        const [message] = await service.db.query('SELECT * FROM messages WHERE task_id = $1', [task.id]);
        expect(message).toMatchObject({ recipient_id: workspace.agent.id, sender_type: 'system' });
        expect(message.content).toContain('README');
        expect((await events(task)).find(({ type }) => type === 'merge.failed')).toMatchObject({
          data: { reason: 'conflict', files: ['README'] },
        });
      },
    );

    it('what its checks refuse, and keeps what they said', async () => {
      await configure({ checks: 'fail' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      const tip = git(path, 'rev-parse', 'main');
      expect(await ended((await merge(task)).body.id)).toMatchObject({
        status: 'failed',
        error: 'The checks failed: The program ended with exit code 3',
        checks_output: 'this does not work\n',
      });
      await configure({ checks: 'slow' });
      const slow = await makeApproved(service.db, repository, { new: 'x\n' });
      expect(await ended((await merge(slow.task)).body.id)).toMatchObject({
        status: 'failed',
        error: 'The checks were stopped: they took longer than 1 s',
        checks_output: 'slow\n',
      });
      expect(git(path, 'rev-parse', 'main')).toBe(tip);
      expectTidy();
    });

    it('nothing that the checks accept: they see the merged files, and nothing of the service', async () => {
      await configure({ checks: 'pass' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      const done = await ended((await merge(task, { strategy: 'merge' })).body.id);
      expect(done).toMatchObject({ status: 'success' });
      expect(done.checks_output).toContain(
        `checked ${task.id} on ${done.merge_commit} in ${path}/.worktrees/.merges/`,
      );
      expect(done.checks_output).not.toMatch(/DATABASE_URL|TEST_POSTGRES|SECRET/);
    });

    it('a second job for the same task, an unknown repository, and what was not approved', async () => {
      await configure({ checks: 'wait' });
      const { task, head } = await makeApproved(service.db, repository, { new: 'x\n' });
      const { body } = await merge(task).expect(201);
      expect((await merge(task).expect(409)).body).toMatchObject({ code: 'merge_already_queued' });
      writeFileSync(go(), '');
      await ended(body.id);
      await merge(task, { repo_id: task.correlation_id }).expect(404);
      await merge(task, { strategy: 'octopus' }).expect(422);
      expect((await merge(task).expect(409)).body).toMatchObject({ code: 'not_approved' });
      const fresh = await makeTask(service.db, workspace.team, { status: 'in_approval', branch: 'fresh' });
      expect((await merge(fresh).expect(404)).body).toMatchObject({ code: 'branch_not_found' });
      const tip = commitTo(path, 'fresh', { a: 'b' });
      expect((await merge(fresh).expect(409)).body).toMatchObject({ code: 'not_approved' });
      await approve(service.db, fresh, head);
      expect((await merge(fresh).expect(409)).body.detail).toContain('earlier work');
      await service.db
        .getRepository(Review)
        .update({ task_id: fresh.id }, { commit: tip, reviewer_type: 'agent' });
      expect((await merge(fresh).expect(409)).body.detail).toContain('person');
      expect((await send('get', fresh, 'merge-status')).body.can_merge).toBe(false);
      await service.db.getRepository(Review).update({ task_id: fresh.id }, { reviewer_type: 'user' });
      expect(await ended((await merge(fresh).expect(201)).body.id)).toMatchObject({ status: 'success' });
    });

    it.each([
      ['a commit', (task: Task) => void commitTo(path, task.branch, { more: 'y' }), 'earlier work'],
      [
        'a verdict',
        (task: Task) =>
          approve(service.db, task, '', { attempt: 2, verdict: 'request_changes', commit: null }),
        'not approved',
      ],
    ])('what %s took the approval from while it was checked', async (_, change, why) => {
      await configure({ checks: 'wait' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      const tip = git(path, 'rev-parse', 'main');
      const { body } = await merge(task).expect(201);
      await until(() => existsSync(began()), 'the checks to begin');
      await change(task);
      writeFileSync(go(), '');
      expect(await ended(body.id)).toMatchObject({ status: 'failed', error: expect.stringContaining(why) });
      expect(git(path, 'rev-parse', 'main')).toBe(tip);
    });

    it('what a person takes out of it', async () => {
      await configure({ checks: 'wait' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      const waiting = await makeApproved(service.db, repository, { second: 'x\n' });
      const tip = git(path, 'rev-parse', 'main');
      const { body } = await merge(task).expect(201);
      const { body: behind } = await merge(waiting.task).expect(201);
      await until(() => existsSync(began()), 'the checks to begin');
      for (const one of [task, waiting.task])
        await service.http
          .post(`/api/v1/tasks/${one.id}/status`)
          .set(withKey(workspace.key))
          .send({ status: 'in_progress' })
          .expect(200);
      for (const { id } of [body, behind])
        expect(await job(id)).toMatchObject({ status: 'failed', error: 'The task was taken out of merging' });
      writeFileSync(go(), '');
      const third = await makeApproved(service.db, repository, { third: 'x\n' });
      expect(await ended((await merge(third.task)).body.id)).toMatchObject({ status: 'success' });
      expect(git(path, 'log', '--format=%P', '-1', 'main')).toBe(tip);
    });
  });

  it('starts over when the default branch moves meanwhile', async () => {
    await configure({ checks: 'wait' });
    const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
    const { body } = await merge(task, { strategy: 'merge' }).expect(201);
    await until(() => existsSync(began()), 'the checks to begin');
    const tip = commit(path, { meanwhile: 'y\n' });
    writeFileSync(go(), '');
    expect(await ended(body.id)).toMatchObject({ status: 'success' });
    expect(git(path, 'log', '--format=%P', '-1', 'main').split(' ')[0]).toBe(tip);
    expect((await job(body.id)).intents).toHaveLength(2);
    expectTidy();
  });

  describe('and the main checkout', () => {
    const postponed = (id: number): Promise<MergeJob> =>
      until(async () => {
        const found = await job(id);
        return found.not_before !== null && found;
      }, `job ${id} to be postponed`);
    const tryAgain = async (id: number): Promise<MergeJob> => {
      await service.db.query(`UPDATE merge_jobs SET not_before = now() WHERE id = $1`, [id]);
      await service.db.query(`SELECT pg_notify('entourage_merges', '')`);
      return ended(id);
    };

    it('keeps changes that are not in the way', async () => {
      commit(path, { edited: 'one\n' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      writeFileSync(join(path, 'edited'), 'mine\n');
      writeFileSync(join(path, 'untracked'), 'mine\n');
      expect(await ended((await merge(task)).body.id)).toMatchObject({ status: 'success', error: null });
      expect(git(path, 'status', '--porcelain').split('\n')).toEqual([' M edited', '?? untracked']);
      expect(readFileSync(join(path, 'edited'), 'utf8')).toBe('mine\n');
      expect(readFileSync(join(path, 'new'), 'utf8')).toBe('x\n');
    });

    it.each([
      ['edited', () => writeFileSync(join(path, 'README'), 'mine\n'), 'README', 'mine\n'],
      [
        'staged',
        () => {
          writeFileSync(join(path, 'README'), 'mine\n');
          git(path, 'add', 'README');
        },
        'README',
        'mine\n',
      ],
      ['untracked', () => writeFileSync(join(path, 'new'), 'mine\n'), 'new', 'mine\n'],
      [
        'ignored',
        () => {
          writeFileSync(join(path, '.git/info/exclude'), 'new\n');
          writeFileSync(join(path, 'new'), 'mine\n');
        },
        'new',
        'mine\n',
      ],
    ])(
      'is waited for where a file is %s that the merge would write over',
      async (_, change, file, content) => {
        const { task } = await makeApproved(service.db, repository, { new: 'x\n', README: 'theirs\n' });
        change();
        const tip = git(path, 'rev-parse', 'main');
        const { body } = await merge(task).expect(201);
        const waiting = await postponed(body.id);
        expect(waiting).toMatchObject({ status: 'queued', error: expect.stringContaining('in the way') });
        expect(waiting.error).toContain(file);
        expect(git(path, 'rev-parse', 'main')).toBe(tip);
        expect(readFileSync(join(path, file), 'utf8')).toBe(content);
        expect((await reload(task)).status).toBe('merging');
        // It does not keep others from being merged.
        const other = await makeApproved(service.db, repository, { other: 'x\n' });
        expect(await ended((await merge(other.task)).body.id)).toMatchObject({ status: 'success' });
        rmSync(join(path, 'new'), { force: true });
        git(path, 'reset', '-q', 'HEAD', '--', 'README');
        git(path, 'checkout', '--', 'README');
        expect(await tryAgain(body.id)).toMatchObject({ status: 'success', error: null });
        expectTidy();
      },
    );

    it('is left alone where it has another branch', async () => {
      git(path, 'checkout', '-q', '-b', 'elsewhere');
      writeFileSync(join(path, 'README'), 'mine\n');
      const { task } = await makeApproved(service.db, repository, { new: 'x\n', README: 'theirs\n' });
      expect(await ended((await merge(task)).body.id)).toMatchObject({ status: 'success', error: null });
      expect(readFileSync(join(path, 'README'), 'utf8')).toBe('mine\n');
      expect(existsSync(join(path, 'new'))).toBe(false);
      expect(git(path, 'show', 'main:README')).toBe('theirs');
    });

    it('is waited for where the default branch is checked out a second time', async () => {
      git(path, 'checkout', '-q', '--detach');
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      git(path, 'worktree', 'add', '-q', `${path}-linked`, 'main');
      const { body } = await merge(task).expect(201);
      expect((await postponed(body.id)).error).toContain(`${path}-linked`);
      git(path, 'worktree', 'remove', `${path}-linked`);
      expect(await tryAgain(body.id)).toMatchObject({ status: 'success' });
    });

    it('is not where it was, or names checks that nobody knows: that is waited for as well', async () => {
      await configure({ checks: 'unknown' });
      const { task } = await makeApproved(service.db, repository, { new: 'x\n' });
      const { body } = await merge(task).expect(201);
      expect((await postponed(body.id)).error).toContain('"unknown"');
      await configure({});
      git(root, 'clone', '-q', path, `${path}-away`);
      rmSync(`${path}-away`, { recursive: true });
      expect(await tryAgain(body.id)).toMatchObject({ status: 'success' });
    });
  });

  it('queues by itself what was approved, where the team wants that', async () => {
    const set = (auto_merge: boolean) =>
      service.http
        .patch(`/api/v1/settings/teams/${workspace.team.id}`)
        .set(withKey(workspace.key))
        .send({ auto_merge })
        .expect(200);
    const second = await makeRepository(service.db, workspace.team, `${path}-second`);
    const { task } = await makeApproved(
      service.db,
      repository,
      { new: 'x\n' },
      { status: 'in_review', repo_ids: [] },
    );
    await service.db.getRepository(Review).delete({ task_id: task.id });
    commitTo(second.local_path, task.branch, { there: 'too\n' });
    await send('post', task, 'reviews').send({}).expect(201);
    await set(true);
    try {
      await send('post', task, 'approve').send({}).expect(200);
      await until(async () => (await reload(task)).status === 'done', 'the task to be merged by itself');
    } finally {
      await set(false);
    }
    for (const [place, file] of [
      [path, 'new'],
      [second.local_path, 'there'],
    ] as const)
      expect(existsSync(join(place, file))).toBe(true);
    const queued = (await events(task)).filter(({ type }) => type === 'merge.queued');
    expect(queued).toHaveLength(2);
    expect(queued[0]).toMatchObject({ metadata: { actor: { type: 'system', id: 'merges' } } });
  });

  it('starts nothing that the repository names', async () => {
    const proof = join(base, 'executed');
    const trap = join(base, 'trap.sh');
    writeFileSync(trap, `#!/bin/sh\ntouch ${proof}\ncat\n`);
    chmodSync(trap, 0o755);
    const { task } = await makeApproved(service.db, repository, {
      '.gitattributes': '* filter=evil diff=evil merge=evil\n',
      README: 'theirs\n',
    });
    commit(path, { other: 'x\n' });
    for (const hook of [
      'reference-transaction',
      'post-index-change',
      'post-checkout',
      'pre-commit',
      'commit-msg',
      'post-merge',
    ])
      writeFileSync(join(path, '.git/hooks', hook), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
    for (const key of [
      'filter.evil.smudge',
      'filter.evil.clean',
      'merge.evil.driver',
      'core.fsmonitor',
      'gpg.program',
    ])
      git(path, 'config', key, trap);
    git(path, 'config', 'commit.gpgSign', 'true');
    rmSync(proof, { force: true });
    expect(await ended((await merge(task, { strategy: 'merge' })).body.id)).toMatchObject({
      status: 'success',
    });
    expect(existsSync(proof)).toBe(false);
  });

  it('takes work from the agent that did it, and from no other', async () => {
    const { task } = await makeApproved(
      service.db,
      repository,
      { new: 'x\n' },
      { assignee_id: workspace.agent.id },
    );
    const keyOf = async (agent_id: string) =>
      (await makeApiKey(service.db, workspace.org.id, ['agent'], { agent_id })).key;
    const colleague = await keyOf((await makeAgent(service.db, workspace.team)).id);
    await merge(task, {}, colleague).expect(403);
    await send('get', task, 'merge-status', {}, colleague).expect(200);
    const { body } = await merge(task, {}, await keyOf(workspace.agent.id)).expect(201);
    expect(await ended(body.id)).toMatchObject({ status: 'success' });
    const trail = await events(task);
    expect(trail[0]).toMatchObject({ type: 'merge.queued', metadata: { actor: { type: 'agent' } } });
    expect(trail[1]).toMatchObject({
      data: { to: 'merging' },
      metadata: { actor: { type: 'system', id: 'merges' } },
    });
  });
});
