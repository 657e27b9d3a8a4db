import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataSource, type EntityManager } from 'typeorm';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { claimRuns } from '../../src/modules/dispatch/claim-run.js';
import { lookForWork } from '../../src/modules/dispatch/look-for-work.js';
import { assignAgents } from '../../src/modules/tasks/intake/assign-agents.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeOrganization, makeTeam } from '../factories/accounts.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

/** Until PostgreSQL analyses the table again it plans as if no task waited, and takes every index of those for equal. */
describe('with statistics from a time when no task waited', () => {
  let database: TestDatabase;
  let db: DataSource;
  let team: Team;
  let loaded: Agent;
  let free: Agent;
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    team = await makeTeam(db, (await makeOrganization(db)).id);
    loaded = await makeAgent(db, team, { runtime: 'pull' });
    free = await makeAgent(db, team, { runtime: 'pull' });
    const insert = (count: number, status: string, assignee: string | null): Promise<unknown> =>
      db.query(
        `INSERT INTO tasks (org_id, team_id, title, status, assignee_id, auto_assign, branch, correlation_id)
         SELECT $1, $2, 'Issue', $3, $4, true, 'task', gen_random_uuid() FROM generate_series(1, $5)`,
        [team.org_id, team.id, status, assignee, count],
      );
    await insert(20_000, 'done', null);
    await db.query('VACUUM (ANALYZE)');
    await insert(2_000, 'todo', null);
    await insert(2_000, 'todo', loaded.id);
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  /** What `work` comes to, and how many tasks were read for it. */
  const measured = <T>(work: (manager: EntityManager) => Promise<T>): Promise<{ result: T; read: number }> =>
    db.transaction(async (manager) => {
      const tasksRead = async (): Promise<number> => {
        const [row] = await manager.query<{ read: number }[]>(
          `SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables WHERE relname = 'tasks'`,
        );
        return row?.read ?? Number.NaN;
      };
      const before = await tasksRead();
      const result = await work(manager);
      return { result, read: (await tasksRead()) - before };
    });

  it.each([
    ['some teams', () => [team.id]],
    ['all teams', () => null],
  ])('a look at %s reads a handful of tasks', async (_which, teams) => {
    const { result, read } = await measured((manager) => lookForWork(manager, teams()));
    expect(result).toEqual({ teams: [], orphans: false, backoff_ms: null });
    expect(read).toBeLessThan(10);
  });

  it('finding an idle agent for a new task reads a handful of tasks', async () => {
    const { result, read } = await measured((manager) =>
      assignAgents(manager.queryRunner!, [{ team_id: team.id, role: null }]),
    );
    expect(result).toMatchObject([{ agent_id: free.id }]);
    expect(read).toBeLessThan(10);
  });

  it('a claim reads a handful of tasks', async () => {
    const { result, read } = await measured((manager) =>
      claimRuns(manager, { team_id: team.id, lease_seconds: 60, dispatcher: null, agent_id: free.id }),
    );
    expect(result.runs).toMatchObject([{ agent_id: free.id }]);
    expect(read).toBeLessThan(20);
  });
});
