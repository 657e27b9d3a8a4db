import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** The key that a run's program works with ends with the run, so it is found by it. */
export class RunKeys1790000000012 implements MigrationInterface {
  name = 'RunKeys1790000000012';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE api_keys ADD COLUMN run_id uuid`);
    await runner.query(`CREATE INDEX api_keys_run_idx ON api_keys (run_id) WHERE run_id IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM api_keys WHERE run_id IS NOT NULL`);
    await runner.query(`DROP INDEX api_keys_run_idx`);
    await runner.query(`ALTER TABLE api_keys DROP COLUMN run_id`);
  }
}
