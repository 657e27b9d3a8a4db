import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { OutboundDelivery } from './outbound-delivery.entity.js';

/** One attempt to send a delivery, with what came back. */
@Entity('outbound_attempts')
@Check('outbound_attempts_outcome_check', `outcome IN ('succeeded','failed','lost')`)
export class OutboundAttempt {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'outbound_attempts_pkey' })
  @ForeignKey(() => OutboundDelivery, { name: 'outbound_attempts_delivery_fkey', onDelete: 'CASCADE' })
  delivery_position: number;

  @PrimaryColumn('int', { primaryKeyConstraintName: 'outbound_attempts_pkey' })
  attempt: number;

  /** `lost`: whoever made it died before it was recorded; it may or may not have arrived. */
  @Column('text')
  outcome: 'succeeded' | 'failed' | 'lost';

  @Column('timestamptz')
  started_at: Date;

  @Column('int', { nullable: true })
  duration_ms: number | null;

  @Column('int', { nullable: true })
  response_status: number | null;

  /** At most 16 KiB. */
  @Column('text', { nullable: true })
  response_body: string | null;

  @Column('boolean', { default: false })
  response_truncated: boolean;

  /** Stable code: `http_500`, `timeout`, `dns`, `connect`, `tls`, `reset`, `address_refused`, … */
  @Column('text', { nullable: true })
  error: string | null;

  /** The same for a person. */
  @Column('text', { nullable: true })
  detail: string | null;

  /** When the next attempt was due by then; null when there was none. */
  @Column('timestamptz', { nullable: true })
  retry_at: Date | null;
}
