import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  ForeignKey,
  PrimaryColumn,
  UpdateDateColumn,
} from 'typeorm';
import { Organization } from '../../organizations/organization.entity.js';

export type CredentialKind = 'token' | 'app';

/** As whom an organization talks to GitHub: one token, or one installation of a GitHub App. */
@Entity('github_credentials')
@Check('github_credentials_kind_check', `kind IN ('token','app')`)
@Check(
  'github_credentials_app_check',
  `(kind = 'app') = (app_id IS NOT NULL AND installation_id IS NOT NULL)`,
)
export class GithubCredential {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'github_credentials_pkey' })
  @ForeignKey(() => Organization, { name: 'github_credentials_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('text')
  kind: CredentialKind;

  /** AES-256-GCM of the token, or of the App's private key as PEM. */
  @Column('bytea')
  secret: Buffer;

  /** Last four characters of a token. */
  @Column('text', { nullable: true })
  hint: string | null;

  @Column('bigint', { nullable: true })
  app_id: number | null;

  @Column('bigint', { nullable: true })
  installation_id: number | null;

  /** Of the REST API, without a slash at the end. */
  @Column('text')
  base_url: string;

  /** Who we are on GitHub, once it has told; of an App `<slug>[bot]`. */
  @Column('text', { nullable: true })
  login: string | null;

  @Column('timestamptz', { nullable: true })
  last_checked_at: Date | null;

  /** Why GitHub does not take the credentials, for a person. */
  @Column('text', { nullable: true })
  last_error: string | null;

  /** GitHub asked for patience: no process calls it for this organization before. */
  @Column('timestamptz', { nullable: true })
  paused_until: Date | null;

  /** New with every replacement: a client made from another one is thrown away. */
  @Column('uuid')
  revision: string;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;
}
