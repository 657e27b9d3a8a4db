import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/agents.module.js';
import { TeamsModule } from '../teams/teams.module.js';
import { TaskChanges } from './changes/task-changes.js';
import { TaskCreation } from './changes/task-creation.js';
import { TaskContextsController } from './context/task-contexts.controller.js';
import { TaskContexts } from './context/task-contexts.service.js';
import { Message } from './message.entity.js';
import { MessagesController } from './messages/messages.controller.js';
import { Messages } from './messages/messages.service.js';
import { Decomposition } from './subtasks/decomposition.service.js';
import { SubtasksController } from './subtasks/subtasks.controller.js';
import { Subtasks } from './subtasks/subtasks.service.js';
import { TaskEvent } from './task-event.entity.js';
import { TaskEvents } from './task-events.service.js';
import { TaskIntake } from './task-intake.js';
import { TaskNotifySubscriber } from './task-notify.subscriber.js';
import { TaskTransitions } from './task-transitions.js';
import { Task } from './task.entity.js';
import { TasksController } from './tasks.controller.js';
import { Tasks } from './tasks.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Task, TaskEvent, Message]), AgentsModule, TeamsModule],
  controllers: [TasksController, SubtasksController, TaskContextsController, MessagesController],
  providers: [
    TaskNotifySubscriber,
    TaskTransitions,
    TaskIntake,
    Tasks,
    TaskCreation,
    TaskChanges,
    Decomposition,
    Subtasks,
    TaskEvents,
    TaskContexts,
    Messages,
  ],
  exports: [
    TaskTransitions,
    TaskIntake,
    Tasks,
    TaskEvents,
    TaskContexts,
    Messages,
    TaskCreation,
    Decomposition,
    Subtasks,
  ],
})
export class TasksModule {}
