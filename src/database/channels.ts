/** Teams whose tasks, agents or messages changed: a dispatcher looks at them again. */
export const TASKS_CHANNEL = 'entourage_tasks';
/** Runs that changed, for whoever supervises them: a cancel was asked for. */
export const RUNS_CHANNEL = 'entourage_runs';
/** There is something to tell outside systems. Without ids: the trigger that fills the outbox sends it (a migration). */
export const OUTBOUND_CHANNEL = 'entourage_outbound';

/** Write-backs to GitHub that are due; the payload says nothing. */
export const WRITE_BACKS_CHANNEL = 'entourage_write_backs';
/** There is something to merge. Without ids: whoever merges looks at the whole queue, which is short. */
export const MERGES_CHANNEL = 'entourage_merges';

/** Questions to people that were asked, answered or given up: `{request_id, agent_id, team_id, status}`. */
export const HUMAN_REQUESTS_CHANNEL = 'entourage_human_requests';

/** Ids, or `*` where they are too many for one payload or not known: the listener looks at everything. */
export type ChangedIds = string[] | '*';

/** PostgreSQL allows 7,999 bytes of payload; an id with its quotes and comma takes 39. */
const MAX_IDS = 200;

export const teamsPayload = (teams: Iterable<string>): string => payload('teams', teams);
export const runsPayload = (runs: Iterable<string>): string => payload('runs', runs);
export const readTeams = (text: string): ChangedIds => readIds('teams', text);
export const readRuns = (text: string): ChangedIds => readIds('runs', text);

/** Null stands for any: what cannot be read must not hide an answer. */
export function readRequestId(text: string): number | null {
  try {
    const id = (JSON.parse(text) as Record<string, unknown> | null)?.['request_id'];
    return typeof id === 'number' ? id : null;
  } catch {
    return null;
  }
}

function payload(name: 'teams' | 'runs', given: Iterable<string>): string {
  const ids = [...given];
  return JSON.stringify({ [name]: ids.includes('*') || ids.length > MAX_IDS ? '*' : ids });
}

/** What cannot be read counts as everything: a notification is a hint, and a wrong one must not hide work. */
function readIds(name: 'teams' | 'runs', text: string): ChangedIds {
  try {
    const ids = (JSON.parse(text) as Record<string, unknown> | null)?.[name];
    return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : '*';
  } catch {
    return '*';
  }
}
