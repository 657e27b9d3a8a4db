// An engineer that works in a worktree of its task, commits, and asks for review. What a review wanted changed is in its
// prompt the next time.
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { call } from './mcp.mjs';

const prompt = readFileSync(0, 'utf8');
const task_id = Number(process.env.ENTOURAGE_TASK_ID);
const task = await call('get_task', { task_id });
const [repo] = (await call('list_repos')).items;
const { path } = await call('create_worktree', { task_id, repo_id: repo.id });
const git = (...args) =>
  execFileSync(
    'git',
    ['-c', 'user.name=Engineer', '-c', 'user.email=engineer@example.com', '-C', path, ...args],
    { encoding: 'utf8' },
  );

const isRework = prompt.includes('Review Feedback');
// Here a model would write code.
appendFileSync(
  join(path, `task-${task_id}.md`),
  isRework ? '- what the review asked for\n' : `# ${task.title}\n`,
);
git('add', '.');
git('commit', '--quiet', '-m', isRework ? 'Do what the review asked for' : task.title);
await call('request_review', { task_id });
console.log(`${git('log', '-1', '--format=%h %s').trim()}, on ${task.branch}; asked for review`);
