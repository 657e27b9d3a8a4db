/** What other modules use of this one, besides its services. */
export { pushCommit, remoteUrl } from './push-commit.js';
export { assertWorksOn, TaskRepositories } from './task-repositories.service.js';
export { excludeWorktrees, WORKTREES } from './worktree-directory.js';
