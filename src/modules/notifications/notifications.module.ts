import { Module } from '@nestjs/common';
import { DeliveriesModule } from '../deliveries/deliveries.module.js';
import { FailedDeliveries } from './failed-deliveries.js';
import { OutboundDeliveriesController } from './outbound-deliveries.controller.js';
import { OutboundDeliveries } from './outbound-deliveries.service.js';
import { OutboundGauges } from './outbound-gauges.js';
import { OutboundRetention } from './outbound-retention.js';
import { OutboundSecrets } from './outbound-secrets.js';
import { OutboundTest } from './outbound-test.js';
import { OutboundWebhooksController } from './outbound-webhooks.controller.js';
import { OutboundWebhooks } from './outbound-webhooks.service.js';
import { AttemptWriter } from './sending/attempt-writer.js';
import { Notifier } from './sending/notifier.js';
import { RecordAttempts } from './sending/record-attempts.js';
import { SendDelivery } from './sending/send-delivery.js';

@Module({
  imports: [DeliveriesModule],
  controllers: [OutboundWebhooksController, OutboundDeliveriesController],
  providers: [
    OutboundWebhooks,
    OutboundSecrets,
    OutboundDeliveries,
    OutboundTest,
    OutboundRetention,
    OutboundGauges,
    FailedDeliveries,
    SendDelivery,
    RecordAttempts,
    AttemptWriter,
    Notifier,
  ],
})
export class NotificationsModule {}
