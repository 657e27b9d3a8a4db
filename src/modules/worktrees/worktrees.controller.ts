import { Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { IntIdPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { Changes } from './changes.service.js';
import { PushBranch } from './push-branch.service.js';
import {
  ChangedFileDto,
  CommitDto,
  CommitsQuery,
  DiffDto,
  FileDto,
  FileQuery,
  PushedDto,
  PushQuery,
  RemovedDto,
  RepositoryQuery,
  WorktreeDto,
} from './worktrees.dto.js';
import { Worktrees } from './worktrees.service.js';

const DEFAULT_COMMITS = 20;

@ApiTags('worktrees')
@AgentRoute()
@Controller('tasks/:task_id')
export class WorktreesController {
  constructor(
    private readonly worktrees: Worktrees,
    private readonly changes: Changes,
    private readonly pushBranch: PushBranch,
  ) {}

  /** Makes the directory and the branch that the task is worked on in; asked again, it is the same. */
  @Post('worktree')
  @HttpCode(200)
  create(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id }: RepositoryQuery,
  ): Promise<WorktreeDto> {
    return this.worktrees.create(identity, task_id, repo_id);
  }

  /** Where the task is, or would be, worked on. */
  @Get('worktree')
  get(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id }: RepositoryQuery,
  ): Promise<WorktreeDto> {
    return this.worktrees.get(identity, task_id, repo_id);
  }

  /** Removes the directory with all that is not committed in it; the branch stays. */
  @Delete('worktree')
  remove(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id }: RepositoryQuery,
  ): Promise<RemovedDto> {
    return this.worktrees.remove(identity, task_id, repo_id);
  }

  /** The changes of the task's branch since it left the default branch; at most 1 MiB of them. */
  @Get('diff')
  diff(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id }: RepositoryQuery,
  ): Promise<DiffDto> {
    return this.changes.diff(identity, task_id, repo_id);
  }

  /** The files that these changes touch. */
  @Get('files')
  @ApiOkResponse({ type: [ChangedFileDto] })
  files(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id }: RepositoryQuery,
  ): Promise<ChangedFileDto[]> {
    return this.changes.files(identity, task_id, repo_id);
  }

  /** A file as it is at the tip of the task's branch; at most 1 MiB of it. */
  @Get('file')
  file(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id, path }: FileQuery,
  ): Promise<FileDto> {
    return this.changes.file(identity, task_id, repo_id, path);
  }

  /** The commits of the task's branch since it left the default branch, newest first. */
  @Get('commits')
  @ApiOkResponse({ type: [CommitDto] })
  commits(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() { repo_id, limit = DEFAULT_COMMITS }: CommitsQuery,
  ): Promise<CommitDto[]> {
    return this.changes.commits(identity, task_id, repo_id, limit);
  }

  /** Pushes the task's branch to a remote of the repository. */
  @Post('push')
  @HttpCode(200)
  push(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: PushQuery,
  ): Promise<PushedDto> {
    return this.pushBranch.push(identity, task_id, query);
  }
}
