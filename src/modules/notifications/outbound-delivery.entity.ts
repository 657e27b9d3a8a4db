import { Check, Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

export const OUTBOUND_STATUSES = [
  'pending',
  'queued',
  'delivering',
  'succeeded',
  'failed',
  'suppressed',
] as const;
export type OutboundStatus = (typeof OUTBOUND_STATUSES)[number];

/**
 * One notification for one webhook: the outbox. Written by the trigger on `task_events` in the transaction of the change,
 * with the very bytes that are sent.
 */
@Entity('outbound_deliveries')
@Check(
  'outbound_deliveries_status_check',
  `status IN ('pending','queued','delivering','succeeded','failed','suppressed')`,
)
@Check(
  'outbound_deliveries_finished_check',
  `(finished_at IS NULL) = (status IN ('pending','queued','delivering'))`,
)
@Index('outbound_deliveries_id_key', ['id'], { unique: true })
@Index('outbound_deliveries_webhook_idx', ['webhook_id', 'position'])
@Index('outbound_deliveries_due_idx', ['webhook_id', 'due_at'], {
  where: `status IN ('pending','delivering')`,
})
@Index('outbound_deliveries_task_idx', ['webhook_id', 'task_id', 'position'], {
  where: 'finished_at IS NULL',
})
@Index('outbound_deliveries_finished_idx', ['finished_at'], { where: 'finished_at IS NOT NULL' })
export class OutboundDelivery {
  /** Grows with each; for one task it grows in the order of the changes. */
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'outbound_deliveries_pkey',
  })
  position: number;

  /** Stable over all attempts: what the receiver knows a repeated one by. */
  @Column('uuid')
  id: string;

  /**
   * No foreign key: its check would lock the webhook's row in every change of a task, and deleting a webhook would
   * delete all of its log in one go. Rows of a webhook that is gone are swept away.
   */
  @Column('uuid')
  webhook_id: string;

  @Column('uuid')
  org_id: string;

  @Column('uuid', { nullable: true })
  team_id: string | null;

  @Column('bigint', { nullable: true })
  task_id: number | null;

  @Column('text')
  event: string;

  /** Place among all notifications of its task, whoever listens. */
  @Column('int', { nullable: true })
  sequence: number | null;

  @Column('text')
  body: string;

  @Column('uuid')
  correlation_id: string;

  /** `queued`: an earlier one of its task goes first. `suppressed`: its webhook was disabled; kept to be recovered. */
  @Column('text', { default: 'pending' })
  status: OutboundStatus;

  /** `pending`: when to try. `delivering`: when the lease of who tries is over, and another may. */
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  due_at: Date;

  /** Who tries now, anew with each claim: a result is written only by who still holds it. */
  @Column('uuid', { nullable: true })
  claim_id: string | null;

  /** Times it was claimed to be sent. */
  @Column('int', { default: 0 })
  attempts: number;

  /** Failed attempts that count: the place in the schedule. */
  @Column('int', { default: 0 })
  failures: number;

  /** A person asked for this attempt: when it fails, no schedule follows. */
  @Column('boolean', { default: false })
  manual: boolean;

  /** HTTP status of the last answer. */
  @Column('int', { nullable: true })
  response_status: number | null;

  /** Stable code of what went wrong last. */
  @Column('text', { nullable: true })
  error: string | null;

  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  created_at: Date;

  @Column('timestamptz', { nullable: true })
  finished_at: Date | null;
}
