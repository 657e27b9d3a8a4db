import { Module } from '@nestjs/common';
import { DiskSpace } from '../../database/disk-space.js';
import { Backlog } from './backlog.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';
import { MetricsController } from './metrics.controller.js';
import { ServiceGauges } from './service-gauges.js';

@Module({
  controllers: [HealthController, MetricsController],
  providers: [Backlog, DiskSpace, HealthService, ServiceGauges],
})
export class HealthModule {}
