import { type QueryRunner } from 'typeorm';
import { prepared, type PreparedStatement } from '../../../database/prepared.js';
import { type SourceOutcome } from '../source-change.js';

interface IdleAgent {
  id: string;
  team_id: string;
  name: string;
  role: string;
}

export type Assignment = NonNullable<SourceOutcome['assignment']>;

export interface AgentWanted {
  team_id: string;
  role: string | null;
}

/**
 * Idle: no run, and no other task waiting for it. The rows are locked until the tasks are there, and skipped by whoever
 * assigns at the same time, so that two transactions give two agents where there are two. What waits for an agent is
 * found by the index of assigned tasks alone: NOT EXISTS could become a join that reads all waiting tasks, and so could
 * `IS NULL`, to which the index of those fits.
 */
const FIND_IDLE: PreparedStatement = {
  name: 'find-idle-agents',
  text: `
  SELECT DISTINCT idle.id, idle.team_id, idle.name, idle.role, idle.created_at
  FROM json_to_recordset($1) AS wanted (team_id uuid, role text, agents int)
  CROSS JOIN LATERAL (
    SELECT a.id, a.team_id, a.name, a.role, a.created_at FROM agents a
    WHERE a.team_id = wanted.team_id AND a.status = 'idle' AND (wanted.role IS NULL OR a.role = wanted.role)
      AND (SELECT true FROM tasks t
        WHERE t.assignee_id = a.id AND t.status = 'todo' AND coalesce(t.hold_reason, '') = '' LIMIT 1) IS NULL
    ORDER BY a.created_at, a.id
    LIMIT wanted.agents
    FOR NO KEY UPDATE OF a SKIP LOCKED
  ) idle
  ORDER BY idle.created_at, idle.id`,
};

/** Gives each wish, in order, the first idle agent of its team that no wish before it was given: oldest first. */
export async function assignAgents(
  runner: QueryRunner,
  wishes: (AgentWanted | null)[],
): Promise<(Assignment | null)[]> {
  const wanted = new Map<string, AgentWanted>();
  const agents = new Map<string, number>();
  for (const wish of wishes)
    if (wish !== null) {
      wanted.set(`${wish.team_id} ${wish.role}`, wish);
      agents.set(wish.team_id, (agents.get(wish.team_id) ?? 0) + 1);
    }
  if (wanted.size === 0) return wishes.map(() => null);
  const free = await prepared<IdleAgent>(runner, FIND_IDLE, [
    JSON.stringify([...wanted.values()].map((wish) => ({ ...wish, agents: agents.get(wish.team_id) }))),
  ]);
  return wishes.map((wish) => (wish === null ? null : take(free, wish)));
}

function take(free: IdleAgent[], { team_id, role }: AgentWanted): Assignment {
  const place = free.findIndex(
    (agent) => agent.team_id === team_id && (role === null || agent.role === role),
  );
  const [agent] = place < 0 ? [] : free.splice(place, 1);
  const fitting = role === null ? 'idle agent' : `idle ${role}`;
  return agent === undefined
    ? {
        agent_id: null,
        agent_name: null,
        reason: `the team has no ${fitting}; the task waits for the first one`,
      }
    : { agent_id: agent.id, agent_name: agent.name, reason: `first ${fitting} of the team, oldest first` };
}
