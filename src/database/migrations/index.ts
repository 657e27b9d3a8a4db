import { Accounts1790000000001 } from './1790000000001-accounts.js';
import { Deliveries1790000000002 } from './1790000000002-deliveries.js';
import { Work1790000000003 } from './1790000000003-work.js';
import { SubTasks1790000000006 } from './1790000000006-sub-tasks.js';

/** In the order they are applied. */
export const MIGRATIONS = [
  Accounts1790000000001,
  Deliveries1790000000002,
  Work1790000000003,
  SubTasks1790000000006,
];
