import { type Role } from '../../../src/config/settings.js';
import { type Fleet, type Place } from './fleet.js';
import { type PrivatePostgres, type Shutdown } from './private-postgres.js';
import { until } from '../until.js';
import { pick, shuffled } from './random.js';

export interface Disturbance {
  name: string;
  strike(): Promise<void>;
}

const CUT_LISTENERS = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'entourage-listen'`;

/** Processes whose end takes programs at work with it: a dispatcher's name holds its process's id. */
const SUPERVISORS = `
  SELECT split_part(dispatcher, ':', 2)::int AS pid FROM agent_runs WHERE finished_at IS NULL AND runtime = 'command'`;

/** One round of everything that goes wrong, in an order that `random` decides. */
export function disturbances(fleet: Fleet, postgres: PrivatePostgres, random: () => number): Disturbance[] {
  const kill = (role: Role): Disturbance => ({
    name: `kill -9 of one ${role}`,
    strike: async () => {
      const serving = (): Place | undefined => pick(random, fleet.serving(role));
      const atWork = async (): Promise<Place | undefined> => {
        const rows = await postgres.query<{ pid: number }>(SUPERVISORS);
        const pids = new Set(rows.map(({ pid }) => pid));
        return pick(
          random,
          fleet.serving(role).filter((place) => pids.has(place.pid ?? 0)),
        );
      };
      const place =
        role === 'dispatcher' ? await until(atWork, 'one at work', 3_000).catch(serving) : undefined;
      (place ?? (await until(serving, `one ${role}`, 60_000))).kill();
    },
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
