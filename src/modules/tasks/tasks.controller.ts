import { Body, Controller, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { type Page, PageQuery } from '../../http/pagination.js';
import { IntIdPipe, UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { TaskChanges } from './changes/task-changes.js';
import { TaskCreation } from './changes/task-creation.js';
import { TaskEvents } from './task-events.service.js';
import {
  ArchiveTaskDto,
  AssignTaskDto,
  ChangeStatusDto,
  CreateTaskDto,
  CreateTasksDto,
  SetDependenciesDto,
  TaskDetailDto,
  TaskDto,
  TaskEventDto,
  TaskListQuery,
  UpdateTaskDto,
} from './tasks.dto.js';
import { Tasks } from './tasks.service.js';

@ApiTags('tasks')
@Controller()
export class TasksController {
  constructor(
    private readonly tasks: Tasks,
    private readonly creation: TaskCreation,
    private readonly changes: TaskChanges,
    private readonly events: TaskEvents,
  ) {}

  /** Makes a task; one with an assignee or `auto_assign` is dispatched. */
  @Post('teams/:team_id/tasks')
  create(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: CreateTaskDto,
  ): Promise<TaskDto> {
    return this.creation.create(identity, team_id, body);
  }

  /** Makes all of the tasks, or none. */
  @Post('teams/:team_id/tasks/batch')
  createBatch(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Body() body: CreateTasksDto,
  ): Promise<TaskDto[]> {
    return this.creation.createBatch(identity, team_id, body.tasks);
  }

  /** Newest first; archived tasks only when asked for. */
  @AgentRoute()
  @Get('teams/:team_id/tasks')
  @ApiOkResponse({ type: [TaskDetailDto] })
  list(
    @CurrentIdentity() identity: Identity,
    @Param('team_id', UuidPipe) team_id: string,
    @Query() query: TaskListQuery,
  ): Promise<Page<TaskDetailDto>> {
    return this.tasks.list(identity, team_id, query);
  }

  /** A task, with what it depends on and where it comes from. */
  @AgentRoute()
  @Get('tasks/:task_id')
  detail(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<TaskDetailDto> {
    return this.tasks.detail(identity, task_id);
  }

  /** Changes title, description, priority, tags or the parent; what is null or absent stays. */
  @Patch('tasks/:task_id')
  update(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: UpdateTaskDto,
  ): Promise<TaskDto> {
    return this.changes.update(identity, task_id, body);
  }

  /** Moves the task along the table of states (docs/task-states.md). */
  @AgentRoute()
  @Post('tasks/:task_id/status')
  @HttpCode(200)
  changeStatus(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: ChangeStatusDto,
  ): Promise<TaskDto> {
    return this.changes.changeStatus(identity, task_id, body);
  }

  /** Puts a finished task away; the list leaves it out. */
  @Post('tasks/:task_id/archive')
  @HttpCode(200)
  archive(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: ArchiveTaskDto,
  ): Promise<TaskDto> {
    return this.changes.archive(identity, task_id, body.actor_id);
  }

  /** Gives the task to an agent of its team, from the start again if its attempts were used up. */
  @Post('tasks/:task_id/assign')
  @HttpCode(200)
  assign(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: AssignTaskDto,
  ): Promise<TaskDto> {
    return this.changes.assign(identity, task_id, body.assignee_id);
  }

  /** Lets a held task be dispatched. */
  @Post('tasks/:task_id/release')
  @HttpCode(200)
  release(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<TaskDto> {
    return this.changes.release(identity, task_id);
  }

  /** Replaces the tasks that this one waits for, and what it means when one is cancelled; before work starts. */
  @Put('tasks/:task_id/dependencies')
  setDependencies(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: SetDependenciesDto,
  ): Promise<TaskDto> {
    return this.changes.setDependencies(identity, task_id, body);
  }

  /** The audit trail, oldest first. */
  @AgentRoute()
  @Get('tasks/:task_id/events')
  @ApiOkResponse({ type: [TaskEventDto] })
  listEvents(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: PageQuery,
  ): Promise<Page<TaskEventDto>> {
    return this.events.list(identity, task_id, query);
  }
}
