import { Injectable } from '@nestjs/common';
import { type Identity } from '../auth/identity.js';
import { RepositoryLock } from './repository-lock.js';
import { TaskRepositories, type TaskRepository } from './task-repositories.service.js';
import { addWorktree, hasWorktree, removeWorktree, worktreePath } from './worktree-directory.js';
import { type RemovedDto, type WorktreeDto } from './worktrees.dto.js';

/** Where agents work: each task has, in each repository, a directory and a branch of its own. */
@Injectable()
export class Worktrees {
  constructor(
    private readonly found: TaskRepositories,
    private readonly lock: RepositoryLock,
  ) {}

  /** Asked for again, or by many at once, it is one. */
  async create(identity: Identity, task_id: number, repo_id: string): Promise<WorktreeDto> {
    const { task, repository, git } = await this.found.toWork(identity, task_id, repo_id);
    const path = worktreePath(git, task.branch);
    await this.lock.alone(git.path, async () => {
      if (await hasWorktree(git, path)) return;
      await removeWorktree(git, path);
      await addWorktree(git, path, task.branch);
    });
    return view({ task, repository, git }, true);
  }

  async get(identity: Identity, task_id: number, repo_id: string): Promise<WorktreeDto> {
    const found = await this.found.toRead(identity, task_id, repo_id);
    return view(found, await hasWorktree(found.git, worktreePath(found.git, found.task.branch)));
  }

  /** With everything in it that is not committed; the branch and its commits stay. */
  async remove(identity: Identity, task_id: number, repo_id: string): Promise<RemovedDto> {
    const { task, git } = await this.found.toWork(identity, task_id, repo_id);
    const path = worktreePath(git, task.branch);
    return { removed: await this.lock.alone(git.path, () => removeWorktree(git, path)) };
  }
}

const view = ({ task, repository, git }: TaskRepository, exists: boolean): WorktreeDto => ({
  path: worktreePath(git, task.branch),
  branch: task.branch,
  exists,
  repo_path: git.path,
  repo_name: repository.name,
});
