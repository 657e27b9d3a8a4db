import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** GUIDs of version 1 among the keys become version 6 (RFC 9562, section 5.6), so that new ones go to the index's end. */
export class GuidsInOrder1790000000016 implements MigrationInterface {
  name = 'GuidsInOrder1790000000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE delivery_keys SET guid = substr(guid, 16, 3) || substr(guid, 10, 4) || substr(guid, 1, 1) || '-'
        || substr(guid, 2, 4) || '-6' || substr(guid, 6, 3) || substr(guid, 19)
      WHERE guid ~ '^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE delivery_keys SET guid = substr(guid, 8, 1) || substr(guid, 10, 4) || substr(guid, 16, 3) || '-'
        || substr(guid, 4, 4) || '-1' || substr(guid, 1, 3) || substr(guid, 19)
      WHERE guid ~ '^[0-9a-f]{8}-[0-9a-f]{4}-6[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'`);
  }
}
