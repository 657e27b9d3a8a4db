import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { Task } from './task.entity.js';

/** What agents keep about a task between runs: one row a key, so that writers of different keys never meet. */
@Entity('task_context')
export class TaskContext {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'task_context_pkey' })
  @ForeignKey(() => Task, { name: 'task_context_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'task_context_pkey' })
  key: string;

  /** Any JSON value, wrapped so that JSON null is not SQL NULL. */
  @Column('jsonb')
  value: { value: unknown };

  @Column('timestamptz', { default: () => 'now()' })
  updated_at: Date;
}
