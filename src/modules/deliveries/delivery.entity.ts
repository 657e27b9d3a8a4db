import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { type DeliveryDecision } from './delivery-decision.js';

export const DELIVERY_STATUSES = ['received', 'processed', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/**
 * One request to a webhook's receive address, as it came in. Partitioned by week of `created_at`, which is the time
 * inside `id`: a row is found by id alone in one partition, and retention drops whole partitions.
 */
@Entity('deliveries')
@Check('deliveries_status_check', `status IN ('received','processed','failed')`)
@Index('deliveries_webhook_idx', ['webhook_id', 'created_at', 'id'])
@Index('deliveries_task_idx', ['task_id'], { where: 'task_id IS NOT NULL' })
export class Delivery {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'deliveries_pkey' })
  id: string;

  @PrimaryColumn('timestamptz', { primaryKeyConstraintName: 'deliveries_pkey', precision: 3 })
  created_at: Date;

  @Column('uuid')
  webhook_id: string;

  @Column('uuid')
  org_id: string;

  /** `X-GitHub-Delivery`; without that header, the hex SHA-256 of the body. */
  @Column('text')
  guid: string;

  /** `issues.opened`, `pull_request.merged`, `push`, … */
  @Column('text')
  event_type: string;

  @Column('text')
  status: DeliveryStatus;

  /** Stable code of why it had no effect or failed. */
  @Column('text', { nullable: true })
  reason: string | null;

  /** What went wrong, for a person. */
  @Column('text', { nullable: true })
  error: string | null;

  @Column('jsonb', { default: {} })
  payload_summary: Record<string, unknown>;

  @Column('text', { array: true, default: [] })
  actions: string[];

  @Column('bigint', { nullable: true })
  task_id: number | null;

  @Column('int', { default: 1 })
  attempts: number;

  /** Every step of the decision, for `explain`. */
  @Column('jsonb', { default: {} })
  decision: DeliveryDecision;

  /** Request headers without secrets. */
  @Column('jsonb', { default: {} })
  headers: Record<string, string>;

  /** The body's exact bytes, compressed with zstd (RFC 8878). */
  @Column('bytea')
  body: Buffer;

  /** Size of the body as received, in bytes. */
  @Column('int')
  body_size: number;

  @Column('bytea')
  body_sha256: Buffer;

  @Column('uuid')
  correlation_id: string;

  @Column('timestamptz', { nullable: true })
  processed_at: Date | null;
}
