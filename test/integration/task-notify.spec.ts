import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type DataSource } from 'typeorm';
import { RUNS_CHANNEL, TASKS_CHANNEL } from '../../src/database/channels.js';
import { newId } from '../../src/database/new-id.js';
import {
  flushNotifications,
  markRunsChanged,
  markTeamsChanged,
} from '../../src/database/notify-on-commit.js';
import { TaskNotifySubscriber } from '../../src/modules/tasks/task-notify.subscriber.js';
import { TaskTransitions } from '../../src/modules/tasks/task-transitions.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeTeam, makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

describe('notifications of changed tasks', () => {
  let database: TestDatabase;
  let db: DataSource;
  let listener: pg.Client;
  let team: Team;
  let heard: string[];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    expect(db.subscribers).toContain(new TaskNotifySubscriber(db));
    ({ team } = await makeWorkspace(db));
    listener = new pg.Client({ connectionString: database.url });
    await listener.connect();
    listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
    await listener.query(`LISTEN ${TASKS_CHANNEL}; LISTEN ${RUNS_CHANNEL}; LISTEN fence`);
  });
  afterAll(async () => {
    await listener.end();
    await db.destroy();
    await database.drop();
  });
  beforeEach(() => {
    heard = [];
  });

  /** Everything notified by now, in order: what came before a fence of our own has arrived with it. */
  const notified = async (): Promise<string[]> => {
    const fence = newId();
    await db.query('SELECT pg_notify($1, $2)', ['fence', fence]);
    while (heard.at(-1) !== `fence ${fence}`) await listener.query('SELECT 1');
    return heard.splice(0).slice(0, -1);
  };
  const teams = (...ids: string[]): string => `${TASKS_CHANNEL} ${JSON.stringify({ teams: ids })}`;
  const everyTeam = `${TASKS_CHANNEL} {"teams":"*"}`;

  it('sends one for save outside a transaction', async () => {
    const task = await makeTask(db, team);
    expect(await notified()).toEqual([teams(team.id)]);
    await db.getRepository(Task).save({ id: task.id, title: 'Other' });
    expect(await notified()).toEqual([teams(team.id)]);
    await db.getRepository(Task).save({ id: task.id, title: 'Other' });
    expect(await notified()).toEqual([]);
  });

  it('sends one per channel for a whole transaction', async () => {
    const other = await makeTeam(db, team.org_id);
    const run = newId();
    await db.transaction(async (manager) => {
      for (let n = 0; n < 3; n += 1) await makeTask(manager as never, team);
      await makeTask(manager as never, other);
      markRunsChanged(manager.queryRunner!, [run]);
      markTeamsChanged(manager.queryRunner!, [team.id]);
      expect(await notified()).toEqual([]);
    });
    expect(await notified()).toEqual([
      teams(team.id, other.id),
      `${RUNS_CHANNEL} ${JSON.stringify({ runs: [run] })}`,
    ]);
  });

  it('sends one for all that moves together', async () => {
    const parent = await makeTask(db, team);
    const last = await makeTask(db, team, { parent_id: parent.id, status: 'merging' });
    await notified();
    const actor = { type: 'user', id: 'u' } as const;
    await new TaskTransitions().transition(db.manager, { task_id: last.id, to: 'done', actor });
    expect(await db.getRepository(Task).findOneByOrFail({ id: parent.id })).toMatchObject({ status: 'done' });
    expect(await notified()).toEqual([teams(team.id)]);
  });

  it('sends nothing for a transaction rolled back, nor afterwards on the same connection', async () => {
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    await makeTask(runner.manager as never, team);
    await runner.rollbackTransaction();
    await runner.startTransaction();
    await runner.commitTransaction();
    await runner.release();
    expect(await notified()).toEqual([]);
  });

  it('waits for the outermost commit, and keeps the marks of the outside through a savepoint', async () => {
    await db.transaction(async (manager) => {
      await makeTask(manager as never, team);
      await manager.transaction(async (nested) => {
        await makeTask(nested as never, team);
      });
      await expect(
        manager.transaction(async (nested) => {
          await makeTask(nested as never, team);
          throw new Error('back to the savepoint');
        }),
      ).rejects.toThrow('back to the savepoint');
      expect(await notified()).toEqual([]);
    });
    expect(await notified()).toEqual([teams(team.id)]);
  });

  it('names the team although update() tells no row: every team', async () => {
    const task = await makeTask(db, team);
    await notified();
    await db.getRepository(Task).update({ id: task.id }, { title: 'Changed' });
    expect(await notified()).toEqual([everyTeam]);
    await db.transaction(async (manager) => {
      await manager.update(Task, { id: task.id }, { title: 'Again' });
      await makeTask(manager as never, team);
    });
    expect(await notified()).toEqual([everyTeam]);
  });

  it('survives orIgnore on a duplicate, which comes without an id', async () => {
    const task = await makeTask(db, team);
    await notified();
    await db.createQueryBuilder().insert().into(Task).values(Object.assign({}, task)).orIgnore().execute();
    expect(await notified()).toEqual([teams(team.id)]);
  });

  it('sends marks of raw SQL, and flushing twice sends once', async () => {
    await db.transaction(async (manager) => {
      await manager.query(`UPDATE tasks SET title = 'raw'`);
      markTeamsChanged(manager.queryRunner!, [team.id]);
      await flushNotifications(manager.queryRunner!);
      await flushNotifications(manager.queryRunner!);
    });
    expect(await notified()).toEqual([teams(team.id)]);
  });

  it('says every team where the ids would not fit a payload', async () => {
    await db.transaction(async (manager) => {
      markTeamsChanged(manager.queryRunner!, Array.from({ length: 201 }, newId));
      await manager.query('SELECT 1');
    });
    expect(await notified()).toEqual([everyTeam]);
    await db.transaction(async (manager) => {
      markTeamsChanged(manager.queryRunner!, Array.from({ length: 200 }, newId));
      await manager.query('SELECT 1');
    });
    expect(await notified()).toHaveLength(1);
  });
});
