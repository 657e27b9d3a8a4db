import { Injectable } from '@nestjs/common';
import { DomainError } from '../../errors/domain-error.js';
import { type Identity } from '../auth/identity.js';
import { assertBranchName, GitRepositories, type GitRepository } from '../repositories/git.facade.js';
import { Repositories } from '../repositories/repositories.service.js';
import { type CodeRepository } from '../repositories/repository.entity.js';
import { type Task } from '../tasks/task.entity.js';
import { Tasks } from '../tasks/tasks.facade.js';

/** A task, a repository of its team, and that repository on the disk. */
export interface TaskRepository {
  task: Task;
  repository: CodeRepository;
  git: GitRepository;
}

/** Finds what a route about a task in a repository is about. */
@Injectable()
export class TaskRepositories {
  constructor(
    private readonly tasks: Tasks,
    private readonly repositories: Repositories,
    private readonly git: GitRepositories,
  ) {}

  /** @throws DomainError `task_not_found`, `repository_not_found`, `repository_unavailable` */
  async toRead(identity: Identity, task_id: number, repo_id: string): Promise<TaskRepository> {
    const task = await this.tasks.getReachable(identity, task_id);
    const repository = await this.repositories.getReachable(identity, repo_id);
    if (repository.team_id !== task.team_id)
      throw new DomainError('repository_not_found', 'The repository is not one of the team of the task');
    assertBranchName(task.branch);
    return { task, repository, git: await this.git.open(repository) };
  }

  /** As `toRead`; an agent's key works only on its own tasks. @throws DomainError `forbidden`, too */
  async toWork(identity: Identity, task_id: number, repo_id: string): Promise<TaskRepository> {
    const task = await this.tasks.getReachable(identity, task_id);
    assertWorksOn(identity, task);
    return this.toRead(identity, task_id, repo_id);
  }
}

/** @throws DomainError `forbidden` for the key of an agent that the task is not assigned to. */
export function assertWorksOn(identity: Identity, task: Pick<Task, 'assignee_id'>): void {
  if (identity.agent_id !== undefined && identity.agent_id !== task.assignee_id)
    throw new DomainError('forbidden', "An agent's key works only on tasks that are assigned to its agent");
}
