import { type Role } from '../../../src/config/settings.js';
import { type Fleet } from './fleet.js';
import { type PrivatePostgres, type Shutdown } from './private-postgres.js';
import { until } from '../until.js';
import { pick, shuffled } from './random.js';

export interface Disturbance {
  name: string;
  strike(): Promise<void>;
}

const CUT_LISTENERS = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'entourage-listen'`;

/** One round of everything that goes wrong, in an order that `random` decides. */
export function disturbances(fleet: Fleet, postgres: PrivatePostgres, random: () => number): Disturbance[] {
  const kill = (role: Role): Disturbance => ({
    name: `kill -9 of one ${role}`,
    strike: async () => (await until(() => pick(random, fleet.serving(role)), `one ${role}`, 60_000)).kill(),
  });
  const restart = (how: Shutdown): Disturbance => ({
    name: `PostgreSQL restarted by ${how}`,
    strike: () => postgres.restart(how),
  });
  const cut: Disturbance = {
    name: 'the connections that LISTEN are cut',
    strike: async () => void (await postgres.query(CUT_LISTENERS)),
  };
  const kills = (['api', 'dispatcher', 'notifier'] as const).flatMap((role) => [kill(role), kill(role)]);
  return shuffled(random, [...kills, restart('SIGINT'), restart('SIGQUIT'), cut, cut]);
}
