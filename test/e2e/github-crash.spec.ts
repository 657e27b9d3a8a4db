import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { type DataSource } from 'typeorm';
import { makeWriteBackWorkspace, moveTask, openIssue, WHOLE_WAY } from '../factories/github.js';
import { ChildService } from '../support/child-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { type GithubCall, GithubServer } from '../support/github-server.js';
import { TEST_SETTINGS, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

describe('kill -9 between what GitHub did and our record of it', () => {
  let database: TestDatabase;
  let db: DataSource;
  let github: GithubServer;
  const children: ChildService[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    github = await GithubServer.start();
  });
  afterAll(async () => {
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
    await github.close();
    await db.destroy();
    await database.drop();
  });

  const start = async (): Promise<{ child: ChildService; service: TestService }> => {
    const child = new ChildService({
      DATABASE_URL: database.url,
      ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
      ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: '127.0.0.0/8',
      ENTOURAGE_POLL_SECONDS: '0.5',
      ENTOURAGE_LOG_LEVEL: 'info',
    });
    children.push(child);
    const url = await child.ready();
    return { child, service: { db, url, http: supertest(url) } as TestService };
  };

  it.each([
    ['the comment', ({ method, path }: GithubCall) => method === 'POST' && path.endsWith('/comments')],
    ['the closing', ({ method, path }: GithubCall) => method === 'PATCH' && /issues\/\d+$/.test(path)],
    ['the label', ({ method, path }: GithubCall) => method === 'POST' && path.endsWith('/labels')],
  ])(
    'after %s: one comment, and all the rest',
    async (_, matches) => {
      const first = await start();
      const { key, hook } = await makeWriteBackWorkspace(first.service, github, {
        write_back: { close: true, label: 'resolved' },
      });
      const { task_id, number, repository } = await openIssue(first.service, hook);
      github.fail({ matches, kind: 'hang-after' });
      const before = github.calls.filter(matches).length;
      await moveTask(first.service, key, task_id, ...WHOLE_WAY);
      await until(() => github.calls.filter(matches).length > before, 'GitHub to be called', 30_000);
      first.child.signal('SIGKILL');
      await first.child.exited;
      expect(first.child.log + first.child.said).not.toContain('ghp_test');
      const second = await start();
      // As if the lease of the dead process had run out.
      await db.query('UPDATE github_write_backs SET leased_until = now() WHERE task_id = $1', [task_id]);
      const issue = `${repository}/issues/${number}`;
      await until(
        async () => {
          const [row] = await db.query('SELECT * FROM github_write_backs WHERE task_id = $1', [task_id]);
          return row.status === 'current' && row.labelled_at !== null;
        },
        'the rest to be written',
        30_000,
      );
      expect(github.commentsOf(repository, number).map(({ body }) => body.split('\n')[0])).toEqual([
        `Resolved in task #${task_id}`,
      ]);
      expect(github.states.get(issue)?.state).toBe('closed');
      expect(github.labels.get(issue)).toEqual(['resolved']);
      const log = second.child.log + second.child.said;
      expect(log).not.toContain('ghp_test');
      expect((await second.child.stop()).code).toBe(0);
    },
    90_000,
  );
});
