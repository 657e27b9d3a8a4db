import { Injectable } from '@nestjs/common';
import { DomainError } from '../../errors/domain-error.js';
import { type Identity } from '../auth/identity.js';
import { GitRepositories } from '../repositories/git.facade.js';
import { pushCommit } from './push-commit.js';
import { TaskRepositories } from './task-repositories.service.js';
import { type PushedDto, type PushQuery } from './worktrees.dto.js';

/** Brings a task's branch to a remote. */
@Injectable()
export class PushBranch {
  constructor(
    private readonly found: TaskRepositories,
    private readonly disk: GitRepositories,
  ) {}

  /** @throws DomainError `branch_protected`, `branch_not_found`, and as `pushCommit` */
  async push(identity: Identity, task_id: number, query: PushQuery): Promise<PushedDto> {
    const { task, repository, git } = await this.found.toWork(identity, task_id, query.repo_id);
    const { branch } = task;
    if (branch === git.default_branch)
      throw new DomainError('branch_protected', 'The default branch changes by merging, never by a push');
    const commit = await git.tipOf(branch);
    if (commit === null)
      throw new DomainError('branch_not_found', 'The task has no branch in this repository yet');
    await pushCommit(git, this.disk, {
      remote: query.remote ?? 'origin',
      org_id: repository.org_id,
      commit,
      branch,
      force: query.force ?? false,
    });
    return { pushed: true, branch };
  }
}
