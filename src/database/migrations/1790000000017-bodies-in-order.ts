import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Keys of bodies in the order of the time that the body names. What was received before, or by a process of the version
 * before, has none: the database cannot read packed bodies. It is recognised by its GUID alone.
 */
export class BodiesInOrder1790000000017 implements MigrationInterface {
  name = 'BodiesInOrder1790000000017';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE delivery_keys ADD COLUMN body_time timestamptz NOT NULL DEFAULT '-infinity'`,
    );
    await runner.query('DROP INDEX delivery_keys_body_key');
    await runner.query(`CREATE UNIQUE INDEX delivery_keys_body_key
      ON delivery_keys (webhook_id, body_time, body_sha256) WHERE NOT replay`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX delivery_keys_body_key');
    await runner.query('ALTER TABLE delivery_keys DROP COLUMN body_time');
    await runner.query(
      'CREATE UNIQUE INDEX delivery_keys_body_key ON delivery_keys (webhook_id, body_sha256) WHERE NOT replay',
    );
  }
}
