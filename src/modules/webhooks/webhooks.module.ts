import { Module } from '@nestjs/common';
import { DeliveriesModule } from '../deliveries/deliveries.module.js';
import { WebhookSecrets } from './webhook-secrets.js';
import { WebhooksController } from './webhooks.controller.js';
import { WebhooksService } from './webhooks.service.js';

@Module({
  imports: [DeliveriesModule],
  controllers: [WebhooksController],
  providers: [WebhooksService, WebhookSecrets],
})
export class WebhooksModule {}
