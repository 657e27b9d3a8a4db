import { type QueryRunner } from 'typeorm';
import { RUNS_CHANNEL, runsPayload, TASKS_CHANNEL, teamsPayload } from './channels.js';
import { prepared, type PreparedStatement } from './prepared.js';

const NOTIFY: PreparedStatement = { name: 'notify', text: 'SELECT pg_notify($1, $2)' };
const NOTIFY_BOTH: PreparedStatement = {
  name: 'notify-both',
  text: 'SELECT pg_notify($1, $2), pg_notify($3, $4)',
};

interface Marks {
  teams: Set<string>;
  runs: Set<string>;
}

const MARKS = Symbol('marks to notify on commit');

const marksOf = (runner: QueryRunner): Marks =>
  ((runner.data as { [MARKS]?: Marks })[MARKS] ??= { teams: new Set(), runs: new Set() });

/**
 * Notes teams whose tasks, agents or messages this transaction changes. Whoever changes them by raw SQL must call it;
 * for tasks written through TypeORM the subscriber does. `*` stands for every team.
 */
export function markTeamsChanged(runner: QueryRunner, team_ids: Iterable<string>): void {
  const { teams } = marksOf(runner);
  for (const id of team_ids) teams.add(id);
}

/** Notes runs that this transaction changes for whoever supervises them. */
export function markRunsChanged(runner: QueryRunner, run_ids: Iterable<string>): void {
  const { runs } = marksOf(runner);
  for (const id of run_ids) runs.add(id);
}

/**
 * Sends what was noted, in one statement with one NOTIFY per channel, and forgets it: called again, it does nothing.
 * Every NOTIFY makes its commit wait for all others, so it comes once, just before COMMIT; the subscriber on tasks
 * does that for each transaction begun with `startTransaction`.
 */
export async function flushNotifications(runner: QueryRunner): Promise<void> {
  const { teams, runs } = marksOf(runner);
  const channels = [
    ...(teams.size > 0 ? [TASKS_CHANNEL, teamsPayload(teams)] : []),
    ...(runs.size > 0 ? [RUNS_CHANNEL, runsPayload(runs)] : []),
  ];
  if (channels.length === 0) return;
  forgetNotifications(runner);
  await prepared(runner, channels.length === 2 ? NOTIFY : NOTIFY_BOTH, channels);
}

export function forgetNotifications(runner: QueryRunner): void {
  delete (runner.data as { [MARKS]?: Marks })[MARKS];
}
