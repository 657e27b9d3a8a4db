import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { v1, v4, v7 } from 'uuid';
import { GuidsInOrder1790000000016 } from '../../src/database/migrations/1790000000016-guids-in-order.js';
import { guidKey } from '../../src/modules/deliveries/guid-key.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let db: DataSource;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await connectTo(database.url);
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

it('the migration turns the GUIDs of existing keys into what the service looks for, and back', async () => {
  const guids = [v1(), v1({ msecs: 1_400_000_000_000 }), v4(), v7(), v1().toUpperCase(), 'delivery-1'];
  await db.query(
    `INSERT INTO delivery_keys (webhook_id, guid, body_sha256, delivery_id, created_at)
     SELECT gen_random_uuid(), guid, '\\x01', gen_random_uuid(), now() FROM unnest($1::text[]) guid`,
    [guids],
  );
  const kept = async (): Promise<string[]> =>
    (await db.query<{ guid: string }[]>('SELECT guid FROM delivery_keys')).map(({ guid }) => guid).toSorted();
  const migration = new GuidsInOrder1790000000016();
  const runner = db.createQueryRunner();
  try {
    await migration.up(runner);
    expect(await kept()).toEqual(guids.map(guidKey).toSorted());
    expect(await kept()).not.toEqual(guids.toSorted());
    await migration.down(runner);
    expect(await kept()).toEqual(guids.toSorted());
  } finally {
    await runner.release();
  }
});
