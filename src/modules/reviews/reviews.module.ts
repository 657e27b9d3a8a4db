import { Module } from '@nestjs/common';
import { SettingsModule } from '../settings/settings.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { ReviewsController } from './reviews.controller.js';
import { Reviews } from './reviews.facade.js';
import { ReviewStanding } from './review-standing.js';

@Module({
  imports: [SettingsModule, TasksModule],
  controllers: [ReviewsController],
  providers: [ReviewStanding, Reviews],
  exports: [Reviews],
})
export class ReviewsModule {}
