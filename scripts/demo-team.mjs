// `npm run demo -- --team`: an issue is divided by a manager, done by two engineers through MCP, reviewed by a person (the
// demo), merged by the queue; the parent closes, and the issue on GitHub (a stand-in on this machine) says so.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeTeam, say, sendIssue } from './demo-client.mjs';
import { startGithub } from './demo-github.mjs';

const SECONDS = 120;
const AGENTS = join(import.meta.dirname, '../examples/agents/team');

/** The programs of the agents, and a repository for them to work in. */
export function prepareTeam(directory) {
  const repositories = join(directory, 'repositories');
  const repository = join(repositories, 'lighthouse');
  mkdirSync(repository, { recursive: true });
  writeFileSync(join(repository, 'README.md'), '# Lighthouse\n');
  const git = (...args) =>
    execFileSync('git', ['-c', 'user.name=Demo', '-c', 'user.email=demo@example.com', ...args], {
      cwd: repository,
    });
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'A lighthouse');
  const program = (name) => ({ argv: [process.execPath, join(AGENTS, `${name}.mjs`)], timeout_seconds: 60 });
  return {
    commands: { manager: program('manager'), engineer: program('engineer') },
    settings: { ENTOURAGE_REPOS_DIR: repositories, ENTOURAGE_OUTBOUND_ALLOW_CIDRS: '127.0.0.0/8' },
  };
}

async function setUp({ url, directory }, github) {
  const { org, team, user, api } = await makeTeam(url);
  const { agents } = await user.get(`/teams/${team.id}`);
  const command = (name) => ({ runtime: 'command', runtime_config: { command: name } });
  await user.patch(`/agents/${agents[0].id}`, command('manager'));
  for (const name of ['grace', 'margaret'])
    await user.post(`/teams/${team.id}/agents`, { name, role: 'engineer', ...command('engineer') });
  say('agents: a manager and two engineers, programs that work through MCP');
  const local_path = join(directory, 'repositories/lighthouse');
  await user.post(`/teams/${team.id}/repos`, { name: 'lighthouse', local_path });
  await user.patch(`/settings/teams/${team.id}`, { require_review: true, auto_merge: true });
  say('nothing is merged without a review; what was approved is merged by itself');
  await user.put(`/orgs/${org.id}/github-credentials`, { token: 'token-of-the-demo', base_url: github.url });
  const webhook = await api.post('/webhooks', {
    org_id: org.id,
    team_id: team.id,
    name: 'demo',
    events: ['issues'],
    config: {
      auto_assign: true,
      auto_assign_role: 'manager',
      write_back: { close: true, label: 'resolved' },
    },
  });
  return { user, api, webhook, local_path };
}

/** Prints what is new in the story of a task and its sub-tasks, and plays the person who reviews, until it is done. */
async function follow(user, task_id) {
  let seen = 0;
  let asked = false;
  for (const deadline = Date.now() + SECONDS * 1000; Date.now() < deadline; await delay(150)) {
    const events = await user.get(`/tasks/${task_id}/timeline?limit=500`);
    for (const { task_id: id, type, data } of events.slice(seen)) {
      const what = data.to ? `${data.from} → ${data.to}` : (data.verdict ?? data.reason ?? '');
      say(`#${id} ${type} ${what}`);
    }
    seen = events.length;
    const { status } = await user.get(`/tasks/${task_id}`);
    if (status === 'done') return;
    for (const task of await user.get(`/tasks/${task_id}/subtasks`)) {
      if (task.status !== 'in_review') continue;
      const [review] = await user.get(`/tasks/${task.id}/reviews`);
      if (!review || review.verdict !== null) continue;
      const verdict = asked ? 'approve' : 'request_changes';
      await user.post(`/reviews/${review.id}/verdict`, { verdict, summary: asked ? 'Good' : 'Say why, too' });
      asked = true;
    }
  }
  throw new Error(`task #${task_id} was not done within ${SECONDS} s`);
}

export async function demonstrateTeam(service) {
  const github = await startGithub(say);
  try {
    const { user, api, webhook, local_path } = await setUp(service, github);
    const deliveryId = await sendIssue(api, webhook);
    const { task_id } = await api.get(`/webhooks/${webhook.id}/deliveries/${deliveryId}`);
    await follow(user, task_id);
    const log = execFileSync('git', ['log', '--format=%h %an: %s', 'main'], {
      cwd: local_path,
      encoding: 'utf8',
    });
    for (const line of log.trim().split('\n')) say(`main: ${line}`);
    await written(user, task_id);
    say('done: an issue became finished work, reviewed and merged, and GitHub says so');
  } finally {
    await github.stop();
  }
}

/** Waits until GitHub has been told the last word. */
async function written(user, task_id) {
  for (const deadline = Date.now() + SECONDS * 1000; Date.now() < deadline; await delay(150)) {
    const { status, closed } = await user.get(`/tasks/${task_id}/write-back`);
    if (status === 'current' && closed) return;
  }
  throw new Error('GitHub was not told');
}
