import { Body, Controller, Delete, Get, Headers, Param, Post, Query } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { DomainError, validationFailed } from '../../../errors/domain-error.js';
import { isStorable } from '../../../http/fields.js';
import { type Deleted, DELETED } from '../../../http/deleted.js';
import { type Page, PageQuery } from '../../../http/pagination.js';
import { IntIdPipe } from '../../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../../auth/decorators.js';
import { type Identity } from '../../auth/identity.js';
import { TaskChanges } from '../changes/task-changes.js';
import { TaskDetailDto, type TaskDto } from '../tasks.dto.js';
import { Decomposition } from './decomposition.service.js';
import { DecomposeDto, MAX_KEY, TimelineEventDto } from './subtasks.dto.js';
import { Subtasks } from './subtasks.service.js';

@ApiTags('tasks')
@Controller('tasks/:task_id')
export class SubtasksController {
  constructor(
    private readonly subtasks: Subtasks,
    private readonly decomposition: Decomposition,
    private readonly changes: TaskChanges,
  ) {}

  /** Makes all of the sub-tasks, or none. An agent's key may where its agent is the assignee or a manager. */
  @AgentRoute()
  @Post('decompose')
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'The same as `idempotency_key`' })
  decompose(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: DecomposeDto,
    @Headers('idempotency-key') header?: string,
  ): Promise<TaskDto[]> {
    return this.decomposition.decompose(identity, task_id, body.subtasks, keyOf(body, header));
  }

  /** The tasks right below it, in the order they were made. */
  @AgentRoute()
  @Get('subtasks')
  @ApiOkResponse({ type: [TaskDetailDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: PageQuery,
  ): Promise<Page<TaskDetailDto>> {
    return this.subtasks.list(identity, task_id, query);
  }

  /** The whole story: the events of the task and of all below it, oldest first. */
  @AgentRoute()
  @Get('timeline')
  @ApiOkResponse({ type: [TimelineEventDto] })
  timeline(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: PageQuery,
  ): Promise<Page<TimelineEventDto>> {
    return this.subtasks.timeline(identity, task_id, query);
  }

  /** Takes an open sub-task out of its parent. */
  @Delete('parent')
  async detach(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<Deleted> {
    await this.changes.detach(identity, task_id);
    return DELETED;
  }
}

/** @throws DomainError `validation_failed` for a header that cannot be a key, or that says another than the body. */
function keyOf({ idempotency_key }: DecomposeDto, header: string | undefined): string | null {
  const refuse = (message: string): DomainError =>
    validationFailed([{ field: 'idempotency_key', message: `Idempotency-Key ${message}` }]);
  if (header === undefined) return idempotency_key ?? null;
  if (header === '' || header.length > MAX_KEY || !isStorable(header))
    throw refuse(`must be of 1 to ${MAX_KEY} characters`);
  if (typeof idempotency_key === 'string' && idempotency_key !== header)
    throw refuse('and idempotency_key must be the same');
  return header;
}
