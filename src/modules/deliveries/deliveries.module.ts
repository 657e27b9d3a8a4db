import { Module } from '@nestjs/common';
import { DeliveryExplanation } from './delivery-explanation.service.js';
import { DeliveryLog } from './delivery-log.service.js';
import { DeliveryPartitions } from './delivery-partitions.service.js';
import { DeliveryRecords } from './delivery-records.service.js';
import { DeliveryRetention } from './delivery-retention.service.js';

@Module({
  providers: [DeliveryLog, DeliveryExplanation, DeliveryRecords, DeliveryPartitions, DeliveryRetention],
  exports: [DeliveryLog, DeliveryExplanation, DeliveryRecords, DeliveryPartitions],
})
export class DeliveriesModule {}
