import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * A heartbeat changes no indexed column any more, so that it writes one row and no index; the few active runs are read
 * whole to find those whose lease is over. What waits for a dispatcher to adopt it, which every look asks for, is found
 * without reading them.
 */
export class ActiveRuns1790000000014 implements MigrationInterface {
  name = 'ActiveRuns1790000000014';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX agent_runs_lease_idx`);
    await runner.query(
      `CREATE INDEX agent_runs_orphans_idx ON agent_runs (started_at) WHERE status = 'starting' AND dispatcher IS NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX agent_runs_orphans_idx`);
    await runner.query(
      `CREATE INDEX agent_runs_lease_idx ON agent_runs (lease_expires_at) WHERE finished_at IS NULL`,
    );
  }
}
