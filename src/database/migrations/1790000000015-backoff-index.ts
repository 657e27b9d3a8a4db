import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Only tasks with a backoff are in its index: an ordinary task does not write it, and no index of waiting tasks can be
 * mistaken for it.
 */
export class BackoffIndex1790000000015 implements MigrationInterface {
  name = 'BackoffIndex1790000000015';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX tasks_backoff_idx`);
    await runner.query(
      `CREATE INDEX tasks_backoff_idx ON tasks (dispatch_after) WHERE dispatch_after IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX tasks_backoff_idx`);
    await runner.query(
      `CREATE INDEX tasks_backoff_idx ON tasks (dispatch_after) WHERE status = 'todo' AND hold_reason IS NULL`,
    );
  }
}
