import { type DataSource } from 'typeorm';
import { GithubClients } from '../../src/modules/github/client/github-clients.js';
import { makeWorkspace } from './accounts.js';
import { deliver, makeWebhook, type TestWebhook } from './webhooks.js';
import { issueOpened } from '../fixtures/github/payloads.js';
import { type GithubServer } from '../support/github-server.js';
import { startTestService, type TestService } from '../support/service.js';
import { until } from '../support/until.js';

export const TOKEN = 'ghp_test_token_1234';

/** The whole service, allowed to call this machine, without GitHub's seconds between writes. */
export async function startGithubService(
  settings: Parameters<typeof startTestService>[0] = {},
): Promise<TestService> {
  const service = await startTestService({
    ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'],
    ENTOURAGE_POLL_SECONDS: 0.5,
    ...settings,
  });
  service.app.get(GithubClients).withoutSpacing();
  return service;
}

/** An organization whose webhook writes back to `github`. */
export async function makeWriteBackWorkspace(
  service: TestService,
  github: GithubServer,
  config: Record<string, unknown> = { write_back: true },
) {
  const workspace = await makeWorkspace(service.db);
  await saveToken(service, workspace, github);
  const hook = await makeWebhook(service, workspace.key, {
    org_id: workspace.org.id,
    team_id: workspace.team.id,
    events: ['*'],
    config,
  });
  return { ...workspace, hook };
}

export const saveToken = (
  service: TestService,
  { org, key }: { org: { id: string }; key: string },
  github: GithubServer,
  token = TOKEN,
): Promise<unknown> =>
  service.http
    .put(`/api/v1/orgs/${org.id}/github-credentials`)
    .set('X-API-Key', key)
    .send({ token, base_url: github.url })
    .expect(200);

/** A signed `issues.opened`, and the task that came of it. */
export async function openIssue(
  service: TestService,
  hook: TestWebhook,
): Promise<{ task_id: number; number: number; repository: string; payload: ReturnType<typeof issueOpened> }> {
  const payload = issueOpened();
  const { body } = await deliver(service, hook, 'issues', payload).expect(200);
  return {
    task_id: body.task_id,
    number: payload.issue.number,
    repository: payload.repository.full_name,
    payload,
  };
}

/** Moves a task by the API, one status after the other. */
export async function moveTask(
  service: TestService,
  key: string,
  task_id: number,
  ...statuses: string[]
): Promise<void> {
  for (const status of statuses)
    await service.http
      .post(`/api/v1/tasks/${task_id}/status`)
      .set('X-API-Key', key)
      .send({ status })
      .expect((answer) => {
        if (answer.status > 299) throw new Error(`${status}: ${answer.text}`);
      });
}

export const WHOLE_WAY = ['in_progress', 'in_review', 'in_approval', 'merging', 'done'];

/** Waits until GitHub has been told of everything so far. */
export const written = (db: DataSource, task_id: number, status = 'current'): Promise<object> =>
  until(
    async () => {
      const [row] = await db.query<{ status: string; wanted: number; written: number }[]>(
        'SELECT * FROM github_write_backs WHERE task_id = $1 AND leased_until IS NULL',
        [task_id],
      );
      return row?.status === status && (status !== 'current' || row.wanted === row.written) && row;
    },
    `the write-back of task ${task_id} to be ${status}`,
    20_000,
  );
