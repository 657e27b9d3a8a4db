import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { DeliveryRecords } from '../deliveries/delivery-records.service.js';
import { type Delivery } from '../deliveries/delivery.entity.js';
import { announceFailures } from './announce-failure.js';

/**
 * Tells of deliveries to this service that failed, in the transaction that records them. Not of those without a valid
 * signature: anybody can send those.
 */
@Injectable()
export class FailedDeliveries {
  constructor(records: DeliveryRecords) {
    records.onFailed(announce);
  }
}

async function announce(manager: EntityManager, rows: Omit<Delivery, 'attempts'>[]): Promise<void> {
  const webhooks = await manager.query<{ id: string; team_id: string | null }[]>(
    'SELECT id, team_id FROM webhooks WHERE id = ANY($1)',
    [rows.map((row) => row.webhook_id)],
  );
  const teams = new Map(webhooks.map(({ id, team_id }) => [id, team_id]));
  await announceFailures(
    manager,
    rows.map((row) => ({
      org_id: row.org_id,
      team_id: teams.get(row.webhook_id) ?? null,
      task_id: row.task_id,
      correlation_id: row.correlation_id,
      except: null,
      data: {
        direction: 'inbound',
        org_id: row.org_id,
        webhook_id: row.webhook_id,
        delivery_id: row.id,
        event: row.event_type,
        error: row.reason,
      },
    })),
  );
}
