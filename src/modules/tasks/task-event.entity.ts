import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { type Actor } from '../auth/identity.js';
import { Task } from './task.entity.js';

export interface TaskEventMetadata {
  actor: Actor;
  correlation_id: string;
  request_id?: string;
  delivery_id?: string;
  run_id?: string;
  /** Ids that the caller claimed in the body; the actor is the authenticated one. */
  claimed?: Record<string, string>;
}

/** The audit trail: written in the transaction of the change it records; a trigger refuses UPDATE and DELETE. */
@Entity('task_events')
@Index('task_events_task_idx', ['task_id', 'id'])
export class TaskEvent {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'task_events_pkey',
  })
  id: number;

  @Column('uuid')
  org_id: string;

  @Column('bigint')
  @ForeignKey(() => Task, { name: 'task_events_task_fkey' })
  task_id: number;

  /** `task.created`, `task.assigned`, `task.status_changed`, `run.started`, … */
  @Column('text')
  type: string;

  @Column('jsonb', { default: {} })
  data: Record<string, unknown>;

  @Column('jsonb')
  metadata: TaskEventMetadata;

  /** When the row was written, not when its transaction began: events of one transaction keep their order. */
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  created_at: Date;
}
