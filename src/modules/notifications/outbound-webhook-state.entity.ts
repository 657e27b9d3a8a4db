import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { OutboundWebhook } from './outbound-webhook.entity.js';

/**
 * How an outbound webhook fares. Apart from its settings, because it is written with every claim and every answer; its
 * row lock is what serialises all that happens to one webhook's deliveries, over all processes.
 */
@Entity('outbound_webhook_states')
export class OutboundWebhookState {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'outbound_webhook_states_pkey' })
  @ForeignKey(() => OutboundWebhook, { name: 'outbound_webhook_states_webhook_fkey', onDelete: 'CASCADE' })
  webhook_id: string;

  /** Token bucket: what was left of it at `tokens_at`; full at first. */
  @Column('double precision', { default: 0 })
  tokens: number;

  @Column('timestamptz', { nullable: true })
  tokens_at: Date | null;

  /** Who waited longest is served first. */
  @Column('timestamptz', { nullable: true })
  claimed_at: Date | null;

  /** The window that the breaker counts in. */
  @Column('timestamptz', { nullable: true })
  window_started_at: Date | null;

  @Column('int', { default: 0 })
  window_requests: number;

  @Column('int', { default: 0 })
  window_failures: number;

  /** In a row. */
  @Column('int', { default: 0 })
  connection_errors: number;

  /** How often the breaker has opened since the last success. */
  @Column('int', { default: 0 })
  times_opened: number;

  /** Null: the breaker is closed. In the future: open. In the past: one call may probe. */
  @Column('timestamptz', { nullable: true })
  open_until: Date | null;

  /** The first of an unbroken row of failures, no two of them further apart than a day. */
  @Column('timestamptz', { nullable: true })
  failing_since: Date | null;

  /** Of the time after which it is disabled: what its operators have been warned of. */
  @Column('int', { default: 0 })
  warned_percent: number;

  @Column('timestamptz', { nullable: true })
  last_success_at: Date | null;

  @Column('timestamptz', { nullable: true })
  last_failure_at: Date | null;

  @Column('text', { nullable: true })
  last_error: string | null;
}
