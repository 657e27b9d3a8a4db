import { Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { IntIdPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { MergeJobDto, MergeQuery, MergeStatusDto } from './merges.dto.js';
import { Merges } from './merges.facade.js';

@ApiTags('merges')
@AgentRoute()
@Controller('tasks/:task_id')
export class MergesController {
  constructor(private readonly merges: Merges) {}

  /** Whether the task may be merged, and what became of its merges, newest first. */
  @Get('merge-status')
  status(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<MergeStatusDto> {
    return this.merges.status(identity, task_id);
  }

  /** Queues the task's approved branch to become part of the repository's default branch. */
  @Post('merge')
  merge(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: MergeQuery,
  ): Promise<MergeJobDto> {
    return this.merges.merge(identity, task_id, query);
  }
}
