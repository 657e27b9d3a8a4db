import { Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import { GitRepositories, type GitRepository } from '../repositories/git.facade.js';
import { CodeRepository } from '../repositories/repository.entity.js';
import { Task } from '../tasks/task.entity.js';

export interface TaskTip {
  repository: CodeRepository;
  git: GitRepository;
  commit: string;
}

/** Where the branch of a task is, over the repositories that it may be in. */
@Injectable()
export class TaskTips {
  constructor(private readonly repositories: GitRepositories) {}

  /** Of the repositories that the task names, or else of its team. Those that are not at their place are left out. */
  async of(manager: EntityManager, task: Pick<Task, 'team_id' | 'repo_ids' | 'branch'>): Promise<TaskTip[]> {
    const rows = await manager.find(CodeRepository, {
      where: { team_id: task.team_id, ...(task.repo_ids.length === 0 ? {} : { id: In(task.repo_ids) }) },
      order: { name: 'ASC', id: 'ASC' },
    });
    const tips: TaskTip[] = [];
    for (const repository of rows) {
      const git = await this.repositories.open(repository).catch(() => null);
      const commit = git === null ? null : await git.tipOf(task.branch).catch(() => null);
      if (git !== null && commit !== null) tips.push({ repository, git, commit });
    }
    return tips;
  }

  /** The newest commit of the task's branch: what a review saw last. Null where no repository has the branch. */
  async newest(manager: EntityManager, task_id: number): Promise<string | null> {
    const task = await manager.findOneBy(Task, { id: task_id });
    let newest: { commit: string; at: number } | null = null;
    for (const { git, commit } of task === null ? [] : await this.of(manager, task)) {
      const at = Number(await git.read(['show', '--no-patch', '--format=%ct', commit]));
      if (newest === null || at > newest.at) newest = { commit, at };
    }
    return newest?.commit ?? null;
  }

  /** Repositories in which the task has commits that the default branch lacks. */
  async unmerged(
    manager: EntityManager,
    task: Pick<Task, 'team_id' | 'repo_ids' | 'branch'>,
  ): Promise<TaskTip[]> {
    const unmerged: TaskTip[] = [];
    for (const tip of await this.of(manager, task)) {
      const main = await tip.git.tipOf(tip.git.default_branch);
      if (main === null || !(await tip.git.contains(main, tip.commit))) unmerged.push(tip);
    }
    return unmerged;
  }
}
