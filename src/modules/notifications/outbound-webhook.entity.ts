import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  ForeignKey,
  Index,
  PrimaryColumn,
  UpdateDateColumn,
} from 'typeorm';
import { Organization } from '../organizations/organization.entity.js';
import { Team } from '../teams/team.entity.js';

/** A secret that was replaced and still signs beside the new one. */
export interface PreviousSecret {
  /** AES-256-GCM, in base64. */
  sealed: string;
  hint: string;
  expires_at: string;
}

/** Why a webhook is not active; null while it is, or when a person switched it off. */
export type DisabledReason = 'gone' | 'failing' | 'receiver_asked';

/** An outside system that wants to be told of tasks. */
@Entity('outbound_webhooks')
@Check('outbound_webhooks_limits_check', 'max_concurrency > 0 AND rate_per_second > 0')
@Check('outbound_webhooks_events_check', 'cardinality(events) > 0')
@Index('outbound_webhooks_org_idx', ['org_id', 'id'])
export class OutboundWebhook {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'outbound_webhooks_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'outbound_webhooks_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  /** Only tasks of this team; null is every team's. Goes with its team: it must not hear of others then. */
  @Column('uuid', { nullable: true })
  @ForeignKey(() => Team, { name: 'outbound_webhooks_team_fkey', onDelete: 'CASCADE' })
  team_id: string | null;

  @Column('text')
  url: string;

  @Column('text', { default: '' })
  description: string;

  @Column('text', { array: true })
  events: string[];

  @Column('boolean', { default: true })
  active: boolean;

  @Column('text', { nullable: true })
  disabled_reason: DisabledReason | null;

  @Column('timestamptz', { nullable: true })
  disabled_at: Date | null;

  /** AES-256-GCM of the `whsec_…` secret. */
  @Column('bytea')
  secret: Buffer;

  /** Last four characters of the secret. */
  @Column('text')
  secret_hint: string;

  @Column('timestamptz', { default: () => 'now()' })
  secret_created_at: Date;

  /** Newest first; those whose time is over are left out when the next one is added. */
  @Column('jsonb', { default: [] })
  previous_secrets: PreviousSecret[];

  /** AES-256-GCM of what is sent as `X-API-Key`. */
  @Column('bytea', { nullable: true })
  api_key: Buffer | null;

  @Column('text', { nullable: true })
  api_key_hint: string | null;

  /** Calls under way at once, over all processes. */
  @Column('int', { default: 5 })
  max_concurrency: number;

  /** Calls begun per second, over all processes. */
  @Column('int', { default: 10 })
  rate_per_second: number;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;
}
