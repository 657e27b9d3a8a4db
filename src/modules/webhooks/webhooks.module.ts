import { Module } from '@nestjs/common';
import { DeliveriesModule } from '../deliveries/deliveries.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { DeliveriesController } from './deliveries.controller.js';
import { DeliveryBatcher } from './receive/delivery-batcher.js';
import { DirectReceive } from './receive/direct-receive.js';
import { ProcessBatch } from './receive/process-batch.js';
import { RawBodyInterceptor } from './receive/raw-body.interceptor.js';
import { ReceiveController } from './receive/receive.controller.js';
import { ReceiveService } from './receive/receive.service.js';
import { RefusalLimits } from './receive/refusal-limits.js';
import { RefusalLog } from './receive/refusal-log.js';
import { WebhookCache } from './receive/webhook-cache.js';
import { WebhookDeliveriesService } from './webhook-deliveries.service.js';
import { WebhookRepairs } from './webhook-repairs.service.js';
import { WebhookSecrets } from './webhook-secrets.js';
import { WebhooksController } from './webhooks.controller.js';
import { WebhooksService } from './webhooks.service.js';

@Module({
  imports: [DeliveriesModule, TasksModule],
  controllers: [WebhooksController, DeliveriesController, ReceiveController],
  providers: [
    WebhooksService,
    WebhookRepairs,
    WebhookSecrets,
    WebhookDeliveriesService,
    WebhookCache,
    RefusalLimits,
    RefusalLog,
    RawBodyInterceptor,
    DirectReceive,
    ReceiveService,
    ProcessBatch,
    DeliveryBatcher,
  ],
  exports: [WebhooksService, WebhookRepairs],
})
export class WebhooksModule {}
