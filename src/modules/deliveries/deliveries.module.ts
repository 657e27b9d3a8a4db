import { Module } from '@nestjs/common';
import { DeliveryLog } from './delivery-log.service.js';
import { DeliveryPartitions } from './delivery-partitions.js';
import { DeliveryRecords } from './delivery-records.service.js';
import { DeliveryRetention } from './delivery-retention.service.js';

@Module({
  providers: [DeliveryLog, DeliveryRecords, DeliveryPartitions, DeliveryRetention],
  exports: [DeliveryLog, DeliveryRecords, DeliveryPartitions],
})
export class DeliveriesModule {}
