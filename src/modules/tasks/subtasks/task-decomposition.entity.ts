import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { Task } from '../task.entity.js';

/** A decomposition that was asked for under a key: asked for again, it gives back the tasks it made. */
@Entity('task_decompositions')
@Check('task_decompositions_key_check', 'char_length(key) BETWEEN 1 AND 200')
export class TaskDecomposition {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'task_decompositions_pkey' })
  @ForeignKey(() => Task, { name: 'task_decompositions_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'task_decompositions_pkey' })
  key: string;

  /** Of the sub-tasks that were asked for: another body under the same key is another request. */
  @Column('bytea')
  body_sha256: Buffer;

  /** The tasks it made, in the order they were asked for. */
  @Column('bigint', { array: true })
  task_ids: number[];

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;
}
