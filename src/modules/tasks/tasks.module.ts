import { Module } from '@nestjs/common';
import { TaskNotifySubscriber } from './task-notify.subscriber.js';
import { TaskTransitions } from './task-transitions.js';

@Module({
  providers: [TaskNotifySubscriber, TaskTransitions],
  exports: [TaskTransitions],
})
export class TasksModule {}
