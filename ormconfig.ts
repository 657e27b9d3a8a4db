import { DataSource } from 'typeorm';
import { connectionOptions } from './src/database/connection-options.js';
import { ENTITIES } from './src/entities.js';

/** For the TypeORM command line: `npm run typeorm -- migration:show`. Needs DATABASE_URL. */
export default new DataSource(
  connectionOptions(process.env['DATABASE_DIRECT_URL'] ?? process.env['DATABASE_URL'] ?? '', ENTITIES, 2),
);
