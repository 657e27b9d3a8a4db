import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Work that is divided: a task's parent, what a cancelled dependency means to it, and decompositions that are made once. */
export class SubTasks1790000000006 implements MigrationInterface {
  name = 'SubTasks1790000000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
    ALTER TABLE tasks
      ADD COLUMN parent_id bigint,
      ADD COLUMN on_cancel text NOT NULL DEFAULT 'block',
      ADD CONSTRAINT tasks_parent_check CHECK (parent_id <> id),
      ADD CONSTRAINT tasks_on_cancel_check CHECK (on_cancel IN ('block','skip','cancel')),
      ADD CONSTRAINT tasks_parent_fkey FOREIGN KEY (parent_id) REFERENCES tasks(id) ON DELETE SET NULL`);
    await runner.query(`CREATE INDEX tasks_parent_idx ON tasks (parent_id, id) WHERE parent_id IS NOT NULL`);
    await runner.query(`
    CREATE TABLE task_decompositions (
      task_id bigint NOT NULL,
      key text NOT NULL,
      body_sha256 bytea NOT NULL,
      task_ids bigint array NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT task_decompositions_key_check CHECK (char_length(key) BETWEEN 1 AND 200),
      CONSTRAINT task_decompositions_pkey PRIMARY KEY (task_id, key)
    )`);
    await runner.query(
      `ALTER TABLE task_decompositions ADD CONSTRAINT task_decompositions_task_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE task_decompositions`);
    await runner.query(`DROP INDEX tasks_parent_idx`);
    await runner.query(`
    ALTER TABLE tasks DROP CONSTRAINT tasks_parent_fkey, DROP CONSTRAINT tasks_on_cancel_check,
      DROP CONSTRAINT tasks_parent_check, DROP COLUMN on_cancel, DROP COLUMN parent_id`);
  }
}
