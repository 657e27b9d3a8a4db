import { Accounts1790000000001 } from './1790000000001-accounts.js';
import { Deliveries1790000000002 } from './1790000000002-deliveries.js';
import { Work1790000000003 } from './1790000000003-work.js';
import { Notifications1790000000004 } from './1790000000004-notifications.js';
import { Github1790000000005 } from './1790000000005-github.js';
import { SubTasks1790000000006 } from './1790000000006-sub-tasks.js';
import { SettingsAndSessions1790000000007 } from './1790000000007-settings-and-sessions.js';
import { Reviews1790000000008 } from './1790000000008-reviews.js';
import { Merges1790000000009 } from './1790000000009-merges.js';
import { RunKeys1790000000012 } from './1790000000012-run-keys.js';
import { ActiveRuns1790000000014 } from './1790000000014-active-runs.js';
import { BackoffIndex1790000000015 } from './1790000000015-backoff-index.js';
import { GuidsInOrder1790000000016 } from './1790000000016-guids-in-order.js';
import { BodiesInOrder1790000000017 } from './1790000000017-bodies-in-order.js';

/** In the order they are applied. */
export const MIGRATIONS = [
  Accounts1790000000001,
  Deliveries1790000000002,
  Work1790000000003,
  Notifications1790000000004,
  Github1790000000005,
  SubTasks1790000000006,
  SettingsAndSessions1790000000007,
  Reviews1790000000008,
  Merges1790000000009,
  RunKeys1790000000012,
  ActiveRuns1790000000014,
  BackoffIndex1790000000015,
  GuidsInOrder1790000000016,
  BodiesInOrder1790000000017,
];
