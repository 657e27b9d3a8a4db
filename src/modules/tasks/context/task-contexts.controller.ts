import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { IntIdPipe } from '../../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../../auth/decorators.js';
import { type Identity } from '../../auth/identity.js';
import { ContextSavedDto, SaveContextDto, TaskContextDto } from './task-contexts.dto.js';
import { TaskContexts } from './task-contexts.service.js';

@ApiTags('tasks')
@AgentRoute()
@Controller('tasks/:task_id/context')
export class TaskContextsController {
  constructor(private readonly contexts: TaskContexts) {}

  /** Keeps a value under a key; the same key again replaces it. */
  @Post()
  @HttpCode(200)
  save(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: SaveContextDto,
  ): Promise<ContextSavedDto> {
    return this.contexts.save(identity, task_id, body);
  }

  @Get()
  list(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<TaskContextDto> {
    return this.contexts.list(identity, task_id);
  }
}
