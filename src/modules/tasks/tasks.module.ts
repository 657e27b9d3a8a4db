import { Module } from '@nestjs/common';
import { TaskIntake } from './task-intake.js';
import { TaskNotifySubscriber } from './task-notify.subscriber.js';
import { TaskTransitions } from './task-transitions.js';

@Module({
  providers: [TaskNotifySubscriber, TaskIntake, TaskTransitions],
  exports: [TaskIntake, TaskTransitions],
})
export class TasksModule {}
