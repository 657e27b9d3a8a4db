import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Task } from './task.entity.js';

@Entity('task_dependencies')
@Check('task_dependencies_self_check', 'task_id <> depends_on_id')
export class TaskDependency {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'task_dependencies_pkey' })
  @ForeignKey(() => Task, { name: 'task_dependencies_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'task_dependencies_pkey' })
  @ForeignKey(() => Task, { name: 'task_dependencies_depends_on_fkey', onDelete: 'CASCADE' })
  @Index('task_dependencies_depends_on_idx')
  depends_on_id: number;

  /** Place in `depends_on` as it was given. */
  @Column('int')
  position: number;
}
