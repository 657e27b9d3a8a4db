/** How other modules run git. */
export { gitFailed, gitOrFail, saidByGit, withoutCredentials } from './git.js';
export { assertBranchName, GitRepositories } from './git-repositories.service.js';
export { GitRepository } from './git-repository.js';
export { type GitOptions, type GitResult, runGit } from './run-git.js';
