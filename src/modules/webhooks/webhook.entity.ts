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
import { type RepairReportDto } from './repair-report.dto.js';
import { type WebhookConfig } from './webhook-config.js';

export const WEBHOOK_PROVIDERS = ['github', 'gitlab', 'bitbucket', 'custom'] as const;
export type WebhookProvider = (typeof WEBHOOK_PROVIDERS)[number];

/** What deliveries told about the hook on GitHub's side, `ping` above all. */
export interface HookFacts {
  hook_id: number | null;
  events: string[];
  content_type: string | null;
  insecure_ssl: boolean;
  repository_private: boolean | null;
  /** `Repository`, `Organization` or `App`; like the two below it is missing where the last `ping` is older than the field. */
  hook_type?: string | null;
  /** `owner/name` of a repository's hook. */
  repository?: string | null;
  /** Login of an organization's hook. */
  organization?: string | null;
  /** When GitHub last sent `ping`; null when it never did, or that delivery was missed. */
  pinged_at: string | null;
}

@Entity('webhooks')
@Check('webhooks_provider_check', `provider IN ('github','gitlab','bitbucket','custom')`)
@Index('webhooks_org_idx', ['org_id', 'created_at', 'id'])
@Index('webhooks_write_back_idx', ['org_id'], { where: `config -> 'write_back' <> 'false'` })
export class Webhook {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'webhooks_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'webhooks_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  /** Without a team, events are logged and create nothing. */
  @Column('uuid', { nullable: true })
  @ForeignKey(() => Team, { name: 'webhooks_team_fkey', onDelete: 'SET NULL' })
  team_id: string | null;

  @Column('text')
  name: string;

  @Column('text', { default: 'github' })
  provider: WebhookProvider;

  /** AES-256-GCM of the `whsec_…` secret. */
  @Column('bytea')
  secret: Buffer;

  /** Last four characters of the secret. */
  @Column('text')
  secret_hint: string;

  /** The secret before a planned change, still accepted until `previous_secret_expires_at`. */
  @Column('bytea', { nullable: true })
  previous_secret: Buffer | null;

  @Column('timestamptz', { nullable: true })
  previous_secret_expires_at: Date | null;

  @Column('text', { array: true })
  events: string[];

  @Column('boolean', { default: true })
  active: boolean;

  @Column('jsonb', { default: {} })
  config: WebhookConfig;

  @Column('jsonb', { nullable: true })
  hook_facts: HookFacts | null;

  /** What the last check for deliveries that GitHub could not make has found. */
  @Column('jsonb', { nullable: true })
  repair: RepairReportDto | null;

  /** Until when one process has that check to itself. */
  @Column('timestamptz', { nullable: true })
  repair_leased_until: Date | null;

  /**
   * Counts changes to anything a delivery's verdict depends on. A process that verified with an older revision
   * finds out inside the transaction that records the delivery.
   */
  @Column('int', { default: 1 })
  revision: number;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;
}
