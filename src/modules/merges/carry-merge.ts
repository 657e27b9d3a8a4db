import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { GitRepositories, type GitRepository } from '../repositories/git.facade.js';
import { CodeRepository } from '../repositories/repository.entity.js';
import { type Task } from '../tasks/task.entity.js';
import { Tasks } from '../tasks/tasks.facade.js';
import { pushCommit } from '../worktrees/worktrees.facade.js';
import { advance, raiseFence } from './advance.js';
import { type ClaimedMerge, MAX_ATTEMPTS } from './claim-merge.js';
import { combine } from './combine.js';
import { MainCheckout } from './main-checkout.js';
import { MergePostponed, MergeRefused } from './merge-outcome.js';
import { RunChecks } from './run-checks.js';
import { SettleMerge } from './settle-merge.js';
import { Workshop } from './workshop.js';

const MAX_ROUNDS = 10;

interface Work {
  job: ClaimedMerge;
  task: Task;
  repository: CodeRepository;
  git: GitRepository;
  signal: AbortSignal;
}

/** One merge, from its claim to its end. */
@Injectable()
export class CarryMerge {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
    private readonly disk: GitRepositories,
    private readonly checks: RunChecks,
    private readonly settle: SettleMerge,
  ) {}

  /**
   * @param signal aborted when the job must be left: before the default branch is touched, or not at all.
   * @throws MergeRefused, MergePostponed, MergeNotCurrent
   */
  async carry(job: ClaimedMerge, signal: AbortSignal): Promise<void> {
    const repository = await this.db.manager.findOneByOrFail(CodeRepository, { id: job.repo_id });
    const git = await this.disk.open(repository).catch(orPostponed);
    const task = await this.tasks.get(job.task_id);
    const work = { job, task, repository, git, signal };
    await Workshop.sweep(git);
    const token = await raiseFence(git, job);
    if (await this.wasMerged(work)) return;
    if (job.attempts > MAX_ATTEMPTS)
      throw new MergeRefused('git_failed', `It was begun ${MAX_ATTEMPTS} times and never came to an end`);
    for (let round = 0; round < MAX_ROUNDS; round += 1) if (await this.attempt(work, token)) return;
    throw new MergePostponed('The default branch moves faster than this branch can be merged');
  }

  /** Someone before us may have moved the branch and died: what it was to become is written down. */
  private async wasMerged(work: Work): Promise<boolean> {
    const { job, git } = work;
    const tip = await git.tipOf(git.default_branch);
    for (const { onto, commit } of job.intents)
      if (tip !== null && (await git.contains(tip, commit))) {
        await this.conclude(work, onto, commit);
        return true;
      }
    return false;
  }

  /** @returns false when the default branch moved meanwhile. */
  private async attempt(work: Work, token: string): Promise<boolean> {
    const { job, git, task, repository, signal } = work;
    const onto = await git.tipOf(git.default_branch);
    if (onto === null) throw new MergePostponed(`The repository has no branch '${git.default_branch}'`);
    await assertApprovedIsThere(work);
    if (await git.contains(onto, job.head_commit)) {
      await this.settle.succeed(job, job.head_commit, null);
      return true;
    }
    const workshop = await Workshop.open(git, job, signal);
    try {
      const commit = await combine(workshop, {
        strategy: job.strategy,
        onto,
        head: job.head_commit,
        task,
      }).catch(orRefused);
      if (commit !== onto) {
        const { directory } = workshop;
        const output = await this.checks.run({
          job,
          repository,
          branch: task.branch,
          commit,
          directory,
          signal,
        });
        if (output !== null) await this.settle.keepOutput(job, output);
        await new MainCheckout(git).assertCanFollow(onto, commit);
        await this.settle.recordIntent(job, { onto, commit });
        if (!(await advance(git, job, { token, onto, commit }))) return false;
      }
      await this.conclude(work, onto, commit);
      return true;
    } finally {
      await workshop.close();
    }
  }

  /** What is left once the branch has moved. None of it can undo the merge, so what fails is only told. */
  private async conclude(
    { job, git, repository, signal }: Work,
    onto: string,
    commit: string,
  ): Promise<void> {
    const notes = [
      await new MainCheckout(git).follow(onto, commit),
      await this.push(git, repository, commit, signal),
    ];
    await this.settle.succeed(job, commit, notes.filter((note) => note !== null).join('\n') || null);
  }

  private async push(
    git: GitRepository,
    { config, org_id }: CodeRepository,
    commit: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    const remote = config['push_remote'];
    if (typeof remote !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(remote)) return null;
    const push = { remote, org_id, commit, branch: git.default_branch, force: false, signal };
    return pushCommit(git, this.disk, push).then(
      () => null,
      (error: unknown) => {
        if (!(error instanceof DomainError)) throw error;
        return `Merged, but not pushed to ${remote}: ${error.detail}`;
      },
    );
  }
}

/** Merged is what was approved; a branch that has gone on since needs another look. */
async function assertApprovedIsThere({ job, git, task }: Work): Promise<void> {
  const tip = await git.tipOf(task.branch);
  if (tip === job.head_commit) return;
  const what = tip === null ? 'is gone' : `is at ${tip.slice(0, 12)} now`;
  throw new MergeRefused(
    'branch_moved',
    `The commit ${job.head_commit.slice(0, 12)} was to be merged, but the branch ${what}`,
  );
}

const orPostponed = (error: unknown): never => {
  throw error instanceof DomainError ? new MergePostponed(error.detail) : error;
};

const orRefused = (error: unknown): never => {
  throw error instanceof DomainError ? new MergeRefused('git_failed', error.detail) : error;
};
