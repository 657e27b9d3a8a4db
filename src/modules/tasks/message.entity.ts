import { Check, Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { type Actor } from '../auth/identity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Team } from '../teams/team.entity.js';
import { Task } from './task.entity.js';

export type PartyType = 'agent' | 'user' | 'system';

@Entity('messages')
@Check('messages_recipient_type_check', `recipient_type IN ('agent','user')`)
@Index('messages_inbox_idx', ['recipient_id', 'id'])
@Index('messages_unprocessed_idx', ['recipient_id', 'id'], { where: 'processed_at IS NULL' })
export class Message {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'messages_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'messages_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'messages_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  /** The authenticated sender; what the body claimed is in `claimed_sender`. */
  @Column('uuid', { nullable: true })
  sender_id: string | null;

  @Column('text')
  sender_type: PartyType;

  @Column('jsonb', { nullable: true })
  claimed_sender: { id: string; type: string } | null;

  @Column('jsonb')
  actor: Actor;

  @Column('uuid')
  recipient_id: string;

  @Column('text')
  recipient_type: 'agent' | 'user';

  @Column('bigint', { nullable: true })
  @ForeignKey(() => Task, { name: 'messages_task_fkey', onDelete: 'CASCADE' })
  task_id: number | null;

  @Column('text')
  content: string;

  /** Put into the prompt of a run. */
  @Column('timestamptz', { nullable: true })
  delivered_at: Date | null;

  /** Listed in an inbox by its recipient. */
  @Column('timestamptz', { nullable: true })
  seen_at: Date | null;

  /** Done with: by the recipient's word, or because the run that was given it succeeded. */
  @Column('timestamptz', { nullable: true })
  processed_at: Date | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;
}
