import { Check, Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Agent } from '../agents/agent.entity.js';
import { Organization } from '../organizations/organization.entity.js';

export const API_KEY_SCOPES = ['all', 'read', 'write', 'agent'] as const;
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

@Entity('api_keys')
@Check('api_keys_scopes_check', `scopes <@ ARRAY['all','read','write','agent'] AND cardinality(scopes) > 0`)
@Index('api_keys_org_idx', ['org_id', 'created_at', 'id'])
export class ApiKey {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'api_keys_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'api_keys_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  /** Set on an agent's key: it reaches its agent's team only and acts only as that agent. */
  @Column('uuid', { nullable: true })
  @ForeignKey(() => Agent, { name: 'api_keys_agent_fkey', onDelete: 'CASCADE' })
  agent_id: string | null;

  /** Set on the key that a run's program was given: it ends with the run, and people neither see nor revoke it. */
  @Index('api_keys_run_idx', { where: 'run_id IS NOT NULL' })
  @Column('uuid', { nullable: true })
  run_id: string | null;

  @Column('text')
  name: string;

  /** First ten characters of the key, to tell keys apart. */
  @Column('text')
  prefix: string;

  /** SHA-256 of the key: the key has 256 random bits, so that a slow hash would add nothing. */
  @Index('api_keys_key_hash_key', { unique: true })
  @Column('bytea')
  key_hash: Buffer;

  @Column('text', { array: true })
  scopes: ApiKeyScope[];

  /** Within a minute: it is not written on every request. */
  @Column('timestamptz', { nullable: true })
  last_used_at: Date | null;

  @Column('timestamptz', { nullable: true })
  expires_at: Date | null;

  @Column('timestamptz', { nullable: true })
  revoked_at: Date | null;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
