import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { lookForWork, type Work } from '../../src/modules/dispatch/look-for-work.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

describe('looking for work', () => {
  let database: TestDatabase;
  let db: DataSource;
  let team: Team;
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
  });
  beforeEach(async () => {
    team = await makeTeam(db, (await makeOrganization(db)).id);
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  const look = (): Promise<Work> => lookForWork(db.manager, [team.id]);

  it('finds the teams that have a waiting task and an idle agent that a dispatcher starts', async () => {
    await makeTask(db, team);
    await makeAgent(db, team, { runtime: 'pull' });
    await makeAgent(db, team, { runtime: 'http', status: 'working' });
    expect((await look()).teams).toEqual([]);
    await makeAgent(db, team, { runtime: 'http' });
    expect((await look()).teams).toEqual([team.id]);
    expect((await lookForWork(db.manager, null)).teams).toContain(team.id);
    await db.query(`UPDATE tasks SET hold_reason = 'paused' WHERE team_id = $1`, [team.id]);
    expect((await look()).teams).toEqual([]);
  });

  it('says when the nearest backoff is over, and nothing of those that are', async () => {
    const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1000);
    await makeTask(db, team, { dispatch_after: inSeconds(-5) });
    expect((await look()).backoff_ms).toBeNull();
    await makeTask(db, team, { dispatch_after: inSeconds(60) });
    await makeTask(db, team, { dispatch_after: inSeconds(30) });
    const { backoff_ms } = await look();
    expect(backoff_ms).toBeGreaterThan(20_000);
    expect(backoff_ms).toBeLessThanOrEqual(30_000);
  });
});
