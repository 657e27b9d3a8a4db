import { Body, Controller, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { IntIdPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { OpenPullRequestDto, PullRequestDto } from './pull-requests.dto.js';
import { PullRequests } from './pull-requests.service.js';

@ApiTags('worktrees')
@AgentRoute()
@Controller('tasks/:task_id/pr')
export class PullRequestsController {
  constructor(private readonly pullRequests: PullRequests) {}

  /** Opens a pull request on GitHub for the task's branch, which must have been pushed. */
  @Post()
  open(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: OpenPullRequestDto,
  ): Promise<PullRequestDto> {
    return this.pullRequests.open(identity, task_id, body);
  }

  /** The task's newest pull request. */
  @Get()
  get(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<PullRequestDto> {
    return this.pullRequests.get(identity, task_id);
  }
}
