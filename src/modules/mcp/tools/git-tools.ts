import { count, flag, TASK, TASK_AND_REPO, text, tool } from './tool.js';

/** The code: a task has a branch, and a worktree of its own in each repository it changes. */
export const GIT_TOOLS = [
  tool(
    'create_worktree',
    'Create a worktree',
    'POST /tasks/{task_id}/worktree',
    "Makes the task's own checkout of a repository, on the task's branch, or finds the one there is. Answers its path: work there, and nowhere else.",
    { idempotent: true, query: ['repo_id'], input: TASK_AND_REPO },
  ),
  tool(
    'get_worktree',
    'Read a worktree',
    'GET /tasks/{task_id}/worktree',
    "Tells where the task's checkout of a repository lies, and whether it exists.",
    { input: TASK_AND_REPO },
  ),
  tool(
    'remove_worktree',
    'Remove a worktree',
    'DELETE /tasks/{task_id}/worktree',
    "Removes the task's checkout of a repository, with everything in it that is not committed. The branch stays.",
    { destructive: true, idempotent: true, input: TASK_AND_REPO },
  ),
  tool(
    'get_task_diff',
    'Read the diff of a task',
    'GET /tasks/{task_id}/diff',
    "Reads what the task's branch changes, as a unified diff against the default branch.",
    { input: TASK_AND_REPO },
  ),
  tool(
    'get_changed_files',
    'List changed files',
    'GET /tasks/{task_id}/files',
    "Lists the files that the task's branch changes: status (A, M, D, R), lines added and deleted.",
    { input: TASK_AND_REPO },
  ),
  tool(
    'read_file',
    'Read a file',
    'GET /tasks/{task_id}/file',
    "Reads a file as it is on the task's branch.",
    { input: { ...TASK_AND_REPO, path: text('The file, from the root of the repository') } },
  ),
  tool(
    'get_commits',
    'List commits',
    'GET /tasks/{task_id}/commits',
    "Lists the commits of the task's branch, newest first.",
    { input: { ...TASK_AND_REPO, limit: count('How many, 1 to 100').default(20) } },
  ),
  tool(
    'push_branch',
    'Push a branch',
    'POST /tasks/{task_id}/push',
    "Pushes the task's branch to a remote. With force it overwrites what is there.",
    {
      destructive: true,
      openWorld: true,
      query: ['repo_id', 'remote', 'force'],
      input: {
        ...TASK_AND_REPO,
        remote: text('The remote').default('origin'),
        force: flag('Overwrite the branch on the remote').default(false),
      },
    },
  ),
  tool(
    'create_pr',
    'Open a pull request',
    'POST /tasks/{task_id}/pr',
    "Opens a pull request for the task's branch. Push it first. Answers its address and number.",
    {
      openWorld: true,
      input: {
        ...TASK_AND_REPO,
        title: text("Without it, the task's title").optional(),
        body: text('What it changes, and why').optional(),
        draft: flag('Not ready for review yet').default(false),
        base_branch: text('Without it, the default branch').optional(),
      },
    },
  ),
  tool(
    'get_pr_info',
    'Read the pull request',
    'GET /tasks/{task_id}/pr',
    'Tells the address and number of the pull request of a task.',
    { openWorld: true, input: TASK },
  ),
];
