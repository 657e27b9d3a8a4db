import { Module } from '@nestjs/common';
import { TasksModule } from '../tasks/tasks.module.js';
import { ReviewsController } from './reviews.controller.js';
import { Reviews } from './reviews.facade.js';
import { ReviewStanding } from './review-standing.js';

@Module({
  imports: [TasksModule],
  controllers: [ReviewsController],
  providers: [ReviewStanding, Reviews],
  exports: [Reviews],
})
export class ReviewsModule {}
