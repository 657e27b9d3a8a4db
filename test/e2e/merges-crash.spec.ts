import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
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
import pg from 'pg';
import { type DataSource } from 'typeorm';
import { MergeJob } from '../../src/modules/merges/merge-job.entity.js';
import { CodeRepository } from '../../src/modules/repositories/repository.entity.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeApproved } from '../factories/merges.js';
import { git, makeRepository } from '../factories/repositories.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { withKey } from '../support/login.js';
import { TEST_SETTINGS } from '../support/service.js';
import { until } from '../support/until.js';

const LEASE_SECONDS = 3;

describe('a merger that dies', () => {
  let database: TestDatabase;
  let db: DataSource;
  let base: string;
  let workspace: Awaited<ReturnType<typeof makeWorkspace>>;
  let repository: CodeRepository;
  let path: string;
  let holder: pg.Client;
  let count = 0;
  const children: ChildService[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    base = realpathSync(mkdtempSync(join(tmpdir(), 'entourage-merges-crash-')));
    mkdirSync(join(base, 'repos'));
    workspace = await makeWorkspace(db);
    const script = `echo $$ >> ${base}/began; while [ ! -e ${base}/go ]; do sleep 0.02; done`;
    writeFileSync(join(base, 'commands.json'), JSON.stringify({ wait: { argv: ['/bin/sh', '-c', script] } }));
  });
  afterAll(async () => {
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
    await db.destroy();
    await database.drop();
    rmSync(base, { recursive: true, force: true });
  });
  beforeEach(async () => {
    count += 1;
    for (const file of ['go', 'began']) rmSync(join(base, file), { force: true });
    path = join(base, 'repos', `repo-${count}`);
    repository = await makeRepository(db, workspace.team, path);
    holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
  });

  const start = async (env: Record<string, string> = {}): Promise<{ child: ChildService; url: string }> => {
    const child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_REPOS_DIR: join(base, 'repos'),
      ENTOURAGE_COMMANDS_FILE: join(base, 'commands.json'),
      ENTOURAGE_RUN_LEASE_SECONDS: String(LEASE_SECONDS),
      ENTOURAGE_POLL_SECONDS: '0.5',
      ENTOURAGE_SHUTDOWN_GRACE_SECONDS: '1',
      ENTOURAGE_LOG_LEVEL: 'warn',
      ...env,
    });
    children.push(child);
    return { child, url: await child.ready() };
  };
  const kill = async (child: ChildService): Promise<void> => {
    child.signal('SIGKILL');
    await child.exited;
  };
  const merge = async (url: string, task: Task): Promise<number> => {
    const answer = await fetch(
      `${url}/api/v1/tasks/${task.id}/merge?repo_id=${repository.id}&strategy=merge`,
      {
        method: 'POST',
        headers: withKey(workspace.key),
      },
    );
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { id: number }).id;
  };
  const job = (id: number): Promise<MergeJob> => db.getRepository(MergeJob).findOneByOrFail({ id });
  const ended = (id: number): Promise<MergeJob> =>
    until(
      async () => {
        const found = await job(id);
        return found.completed_at !== null && found;
      },
      `merge job ${id} to end`,
      30_000,
    );
  /** The step that waits for the task's row, which the test has locked. PostgreSQL shows the beginning of a query only. */
  const waitsForTask = (): Promise<unknown> =>
    until(async () => {
      const [found] = await db.query(
        `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()
         AND wait_event_type = 'Lock' AND query LIKE 'SELECT "Task"."id"%'`,
      );
      return found.count > 0;
    }, 'the merger to wait for the task');
  const lockTask = async (task: Task): Promise<void> => {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM tasks WHERE id = $1 FOR NO KEY UPDATE', [task.id]);
  };
  const refLock = (): string => join(path, '.git/refs/heads/main.lock');
  const isIntended = (id: number): Promise<unknown> =>
    until(async () => (await job(id)).intents.length > 0, 'the intent to be written down');
  const mergesOnMain = (): string[] =>
    git(path, 'log', '--merges', '--first-parent', '--format=%H', 'main').split('\n').filter(Boolean);

  const expectMergedOnce = async (id: number, task: Task): Promise<void> => {
    const done = await ended(id);
    expect(done).toMatchObject({ status: 'success' });
    expect(mergesOnMain()).toEqual([done.merge_commit]);
    expect((await db.getRepository(Task).findOneByOrFail({ id: task.id })).status).toBe('done');
    expect(readFileSync(join(path, 'new'), 'utf8')).toBe('x\n');
    await until(
      () => !existsSync(join(path, '.worktrees/.merges')) || git(path, 'status', '--porcelain') === '',
      'x',
    );
    expect(git(path, 'status', '--porcelain')).toBe('');
    const trail = await db.query(
      `SELECT count(*)::int FROM task_events WHERE task_id = $1 AND type IN ('merge.succeeded', 'merge.failed')`,
      [task.id],
    );
    expect(trail).toEqual([{ count: 1 }]);
  };

  it('between the claim and its intent: the merge is made by the next', async () => {
    await db.getRepository(CodeRepository).update(repository.id, { config: { checks: 'wait' } });
    const { child, url } = await start();
    const { task } = await makeApproved(db, repository, { new: 'x\n' });
    const id = await merge(url, task);
    await until(() => existsSync(join(base, 'began')), 'the checks to begin');
    await lockTask(task);
    writeFileSync(join(base, 'go'), '');
    await waitsForTask();
    await kill(child);
    expect(mergesOnMain()).toEqual([]);
    await holder.end();
    const second = await start();
    await expectMergedOnce(id, task);
    await kill(second.child);
  }, 90_000);

  it('while its checks run: they end with it, and run again', async () => {
    await db.getRepository(CodeRepository).update(repository.id, { config: { checks: 'wait' } });
    const { child, url } = await start();
    const { task } = await makeApproved(db, repository, { new: 'x\n' });
    const id = await merge(url, task);
    const pids = (): number[] =>
      existsSync(join(base, 'began'))
        ? readFileSync(join(base, 'began'), 'utf8').trim().split('\n').map(Number)
        : [];
    await until(() => pids().length === 1, 'the checks to begin');
    await kill(child);
    await until(() => !existsSync(`/proc/${pids()[0]}`), 'the checks to end');
    const second = await start();
    await until(() => pids().length === 2, 'the checks to begin again');
    writeFileSync(join(base, 'go'), '');
    await expectMergedOnce(id, task);
    await holder.end();
    await kill(second.child);
  }, 90_000);

  it('between its intent and the change of the branch: the branch changes once', async () => {
    const { child, url } = await start();
    const { task } = await makeApproved(db, repository, { new: 'x\n' });
    writeFileSync(refLock(), '');
    const id = await merge(url, task);
    await isIntended(id);
    await kill(child);
    expect(mergesOnMain()).toEqual([]);
    // What git was told may still be waiting for the lock: it gets it, or is refused by the fence.
    rmSync(refLock());
    const second = await start();
    await expectMergedOnce(id, task);
    await holder.end();
    await kill(second.child);
  }, 90_000);

  it('between the change of the branch and the record of it: the next finds out', async () => {
    const { child, url } = await start();
    const { task } = await makeApproved(db, repository, { new: 'x\n' });
    writeFileSync(refLock(), '');
    const id = await merge(url, task);
    await isIntended(id);
    await lockTask(task);
    rmSync(refLock());
    await waitsForTask();
    await kill(child);
    expect(mergesOnMain()).toHaveLength(1);
    expect((await job(id)).status).toBe('running');
    await holder.end();
    const second = await start();
    await expectMergedOnce(id, task);
    await kill(second.child);
  }, 90_000);

  it('or only hangs until another has taken over: what it still does is refused', async () => {
    await db.getRepository(CodeRepository).update(repository.id, { config: { checks: 'wait' } });
    const { child, url } = await start();
    const { task } = await makeApproved(db, repository, { new: 'x\n' });
    const id = await merge(url, task);
    await until(() => existsSync(join(base, 'began')), 'the checks to begin');
    child.signal('SIGSTOP');
    writeFileSync(join(base, 'go'), '');
    const second = await start();
    await expectMergedOnce(id, task);
    child.signal('SIGCONT');
    expect(await child.stop()).toMatchObject({ code: 0 });
    await expectMergedOnce(id, task);
    await holder.end();
    await kill(second.child);
  }, 90_000);

  it('or is shut down: the job goes back, and the next has it at once', async () => {
    await db.getRepository(CodeRepository).update(repository.id, { config: { checks: 'wait' } });
    const { child, url } = await start();
    const { task } = await makeApproved(db, repository, { new: 'x\n' });
    const id = await merge(url, task);
    await until(() => existsSync(join(base, 'began')), 'the checks to begin');
    expect(await child.stop()).toMatchObject({ code: 0 });
    expect(await job(id)).toMatchObject({ status: 'queued', error: null, not_before: null });
    expect(existsSync(join(path, '.worktrees/.merges', `${id}-1`))).toBe(false);
    writeFileSync(join(base, 'go'), '');
    const second = await start();
    await expectMergedOnce(id, task);
    await holder.end();
    await kill(second.child);
  }, 90_000);

  it('or works beside another: two share the queue, and all is in', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    const other = await makeRepository(db, workspace.team, `${path}-other`);
    const approved = [];
    for (let n = 0; n < 12; n += 1) {
      const into = n % 2 === 0 ? repository : other;
      approved.push({
        into,
        ...(await makeApproved(db, into, { [`file-${n}`]: `${n}\n` }, { repo_ids: [into.id] })),
      });
    }
    const ids = await Promise.all(
      approved.map(async ({ into, task }, n) => {
        const { url } = n % 3 === 0 ? first : second;
        const answer = await fetch(`${url}/api/v1/tasks/${task.id}/merge?repo_id=${into.id}`, {
          method: 'POST',
          headers: withKey(workspace.key),
        });
        return ((await answer.json()) as { id: number }).id;
      }),
    );
    const jobs = await Promise.all(ids.map(ended));
    expect(jobs.map(({ status, attempts }) => [status, attempts])).toEqual(jobs.map(() => ['success', 1]));
    for (const [n, { into }] of approved.entries())
      expect(readFileSync(join(into.local_path, `file-${n}`), 'utf8')).toBe(`${n}\n`);
    for (const one of [repository, other]) {
      expect(git(one.local_path, 'rev-list', '--count', 'main')).toBe('7');
      expect(git(one.local_path, 'status', '--porcelain')).toBe('');
    }
    await holder.end();
    await Promise.all([kill(first.child), kill(second.child)]);
  }, 90_000);
});
