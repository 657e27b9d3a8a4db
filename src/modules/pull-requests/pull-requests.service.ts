import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { type Identity } from '../auth/identity.js';
import { assertSameHost, GithubClients, GithubError } from '../github/github.facade.js';
import { assertBranchName } from '../repositories/git.facade.js';
import { recordEvent, Tasks } from '../tasks/tasks.facade.js';
import { remoteUrl, TaskRepositories } from '../worktrees/worktrees.facade.js';
import { openOnGithub, type OpenedPullRequest, parseRemote, type Proposal } from './open-on-github.js';
import { PullRequest } from './pull-request.entity.js';
import { type OpenPullRequestDto, type PullRequestDto } from './pull-requests.dto.js';

const MAX_TITLE = 256;

/** Pull requests of tasks on GitHub, opened with their organization's credentials. */
@Injectable()
export class PullRequests {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
    private readonly found: TaskRepositories,
    private readonly clients: GithubClients,
  ) {}

  /**
   * Of the branch as it was pushed; asked again, it is the same one.
   * @throws DomainError `github_credentials_not_found`, `git_failed`, `git_remote_failed`, and as `TaskRepositories`
   */
  async open(identity: Identity, task_id: number, dto: OpenPullRequestDto): Promise<PullRequestDto> {
    const { task, repository, git } = await this.found.toWork(identity, task_id, dto.repo_id);
    const base = dto.base_branch ?? git.default_branch;
    assertBranchName(base);
    const place = parseRemote((await remoteUrl(git, 'origin')) ?? '');
    if (place === null) throw new DomainError('git_failed', "The remote 'origin' is no repository on GitHub");
    const opened = await this.onGithub(task.org_id, {
      ...place,
      branch: task.branch,
      base,
      title: dto.title ?? task.title.slice(0, MAX_TITLE).toWellFormed(),
      body: dto.body ?? `Task ${task.id}`,
      draft: dto.draft ?? false,
    });
    const { org_id, correlation_id } = task;
    await this.db.transaction(async (manager) => {
      await manager.upsert(
        PullRequest,
        { task_id, repo_id: repository.id, org_id, ...opened, created_at: new Date() },
        ['task_id', 'repo_id'],
      );
      await recordEvent(manager, {
        org_id,
        task_id,
        type: 'pull_request.opened',
        data: { repo_id: repository.id, number: opened.number },
        actor: identity.actor,
        correlation_id,
      });
    });
    return toDto(opened);
  }

  /** The newest. @throws DomainError `pull_request_not_found` */
  async get(identity: Identity, task_id: number): Promise<PullRequestDto> {
    await this.tasks.getReachable(identity, task_id);
    const newest = await this.db.manager.findOne(PullRequest, {
      where: { task_id },
      order: { created_at: 'DESC' },
    });
    if (newest === null) throw new DomainError('pull_request_not_found', 'No PR found for this task');
    return toDto(newest);
  }

  private async onGithub(
    org_id: string,
    { host, ...proposal }: Proposal & { host: string },
  ): Promise<OpenedPullRequest> {
    try {
      const client = await this.clients.of(org_id);
      if (client === null)
        throw new DomainError('github_credentials_not_found', 'The organization has no GitHub credentials');
      assertSameHost(host, client.base_url);
      return await openOnGithub(client, proposal);
    } catch (error) {
      if (error instanceof GithubError) throw new DomainError('git_remote_failed', error.message);
      throw error;
    }
  }
}

const toDto = ({ url, number }: OpenedPullRequest): PullRequestDto => ({ pr_url: url, pr_number: number });
