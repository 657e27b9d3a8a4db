import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { newId } from '../../src/database/new-id.js';
import { OutboundWebhook } from '../../src/modules/notifications/outbound-webhook.entity.js';
import { OutboundWebhookState } from '../../src/modules/notifications/outbound-webhook-state.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/task-transitions.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

const actor = { type: 'system' as const, id: 'test' };

/** The trigger on the audit trail: no change without its notification, none for a change that did not happen. */
describe('the outbox', () => {
  let database: TestDatabase;
  let db: DataSource;
  let team: Team;
  const transitions = new TaskTransitions();
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    team = await makeTeam(db, (await makeOrganization(db)).id);
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  const hook = async (values: Partial<OutboundWebhook> = {}): Promise<string> => {
    const id = newId();
    await db.getRepository(OutboundWebhook).insert({
      id,
      org_id: team.org_id,
      url: 'https://receiver.example/',
      events: ['*'],
      secret: Buffer.from('x'),
      secret_hint: 'x',
      ...values,
    });
    await db.getRepository(OutboundWebhookState).insert({ webhook_id: id });
    return id;
  };
  const rowsOf = (webhook_id: string) =>
    db.query<{ event: string; sequence: number; status: string; body: string }[]>(
      'SELECT event, sequence, status, body FROM outbound_deliveries WHERE webhook_id = $1 ORDER BY position',
      [webhook_id],
    );

  it('holds nothing of a change that was rolled back', async () => {
    const id = await hook();
    const task = await makeTask(db, team);
    await expect(
      db.transaction(async (manager) => {
        await transitions.transition(manager, { task_id: task.id, to: 'cancelled', actor });
        const [row] = await manager.query(
          'SELECT count(*)::int AS rows FROM outbound_deliveries WHERE webhook_id = $1',
          [id],
        );
        expect(row.rows).toBe(2);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await rowsOf(id)).toEqual([]);
  });

  it('keeps what a disabled webhook would have been told', async () => {
    const id = await hook({ active: false });
    const task = await makeTask(db, team);
    await transitions.transition(db.manager, { task_id: task.id, to: 'cancelled', actor });
    expect((await rowsOf(id)).map(({ event, status }) => [event, status])).toEqual([
      ['task.status_changed', 'suppressed'],
      ['task.cancelled', 'suppressed'],
    ]);
  });

  it('counts a sequence for each task that has no gap and no repeat, whoever listens, in order of position', async () => {
    const all = await hook();
    const few = await hook({ events: ['task.completed'] });
    const tasks = await Promise.all(
      Array.from({ length: 8 }, async () =>
        makeTask(db, team, { assignee_id: (await makeAgent(db, team)).id }),
      ),
    );
    await Promise.all(
      tasks.map(async (task) => {
        for (const to of [
          'in_progress',
          'in_review',
          'in_progress',
          'in_review',
          'in_approval',
          'merging',
          'done',
        ] as const)
          await transitions.transition(db.manager, { task_id: task.id, to, actor });
      }),
    );
    for (const task of tasks) {
      const rows = await db.query(
        'SELECT event, sequence FROM outbound_deliveries WHERE webhook_id = $1 AND task_id = $2 ORDER BY position',
        [all, task.id],
      );
      expect(rows.map((row: { sequence: number }) => row.sequence)).toEqual(
        rows.map((_: unknown, at: number) => at + 1),
      );
      expect(rows.at(-1)).toEqual({ event: 'task.completed', sequence: 12 });
    }
    expect(await rowsOf(few)).toMatchObject(tasks.map(() => ({ event: 'task.completed', sequence: 12 })));
  });

  it('makes one body for all receivers, valid JSON whatever the text in it', async () => {
    const ids = [await hook(), await hook()];
    const task = await makeTask(db, team);
    const reason = 'quotes " and \\ and \u2028 and 🚢 and \u0001';
    await transitions.transition(db.manager, {
      task_id: task.id,
      to: 'cancelled',
      actor: { type: 'user', id: 'u', name: '</script>"' },
      reason,
    });
    const [first, second] = (await Promise.all(ids.map(rowsOf))).map((rows) => rows.map(({ body }) => body));
    expect(first).toEqual(second);
    expect(JSON.parse(first![1]!)).toMatchObject({
      event: 'task.cancelled',
      task_id: task.id,
      data: { reason, actor: { name: '</script>"' } },
    });
    expect(Object.keys(JSON.parse(first![1]!))).toEqual([
      'event',
      'task_id',
      'team_id',
      'timestamp',
      'sequence',
      'data',
    ]);
  });

  it('tells another organization nothing, and another team only what is its own', async () => {
    const other = await makeTeam(db, (await makeOrganization(db)).id);
    const sibling = await makeTeam(db, team.org_id);
    const foreign = await hook({ org_id: other.org_id });
    const ofSibling = await hook({ team_id: sibling.id });
    const task = await makeTask(db, team);
    await transitions.transition(db.manager, { task_id: task.id, to: 'cancelled', actor });
    expect(await rowsOf(foreign)).toEqual([]);
    expect(await rowsOf(ofSibling)).toEqual([]);
  });
});
