import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource } from 'typeorm';
import { Agent } from '../../src/modules/agents/agent.entity.js';
import { AgentRun } from '../../src/modules/dispatch/agent-run.entity.js';
import { claimRun, type ClaimedRun } from '../../src/modules/dispatch/claim-run.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { TaskDependency } from '../../src/modules/tasks/task-dependency.entity.js';
import { TaskTransitions } from '../../src/modules/tasks/tasks.facade.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeAgent, makeOrganization, makeTeam } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';

describe('claiming a run', () => {
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

  const agent = (values: Partial<Agent> = {}): Promise<Agent> =>
    makeAgent(db, team, { runtime: 'command', ...values });
  const task = (values: Partial<Task> = {}): Promise<Task> =>
    makeTask(db, team, { auto_assign: true, ...values });
  const claim = (values: { agent_id?: string; task_id?: number } = {}): Promise<ClaimedRun | null> =>
    claimRun(db.manager, { team_id: team.id, lease_seconds: 60, dispatcher: 'test', ...values });

  it('changes task, agent, run and events together', async () => {
    const worker = await agent();
    const waiting = await task();
    const run = await claim();
    expect(run).toMatchObject({ task_id: waiting.id, agent_id: worker.id, attempt: 1, runtime: 'command' });
    expect(await db.getRepository(Task).findOneByOrFail({ id: waiting.id })).toMatchObject({
      status: 'in_progress',
      assignee_id: worker.id,
      version: waiting.version + 1,
    });
    expect((await db.getRepository(Agent).findOneByOrFail({ id: worker.id })).status).toBe('working');
    const row = await db.getRepository(AgentRun).findOneByOrFail({ id: run!.run_id });
    expect(row).toMatchObject({ status: 'starting', dispatcher: 'test', fencing_token: run!.fencing_token });
    expect(row.lease_expires_at.getTime() - row.started_at.getTime()).toBeCloseTo(60_000, -2);
    const events = await db.query(
      `SELECT type, data, metadata FROM task_events WHERE task_id = $1 ORDER BY id`,
      [waiting.id],
    );
    expect(events.map(({ type }: { type: string }) => type)).toEqual([
      'task.assigned',
      'task.status_changed',
      'run.started',
    ]);
    expect(events[1]).toMatchObject({
      data: { from: 'todo', to: 'in_progress' },
      metadata: {
        actor: { type: 'system', id: 'dispatch' },
        correlation_id: waiting.correlation_id,
        run_id: run!.run_id,
      },
    });
  });

  it('takes the most urgent first, then the oldest', async () => {
    const tasks = [
      await task({ priority: 'low' }),
      await task({ priority: 'high' }),
      await task({ priority: 'critical' }),
      await task({ priority: 'high' }),
    ];
    for (let n = 0; n < 4; n += 1) await agent();
    const order = [];
    for (let n = 0; n < 4; n += 1) order.push((await claim())?.task_id);
    expect(order).toEqual([tasks[2]!.id, tasks[1]!.id, tasks[3]!.id, tasks[0]!.id]);
    expect(await claim()).toBeNull();
  });

  it('leaves what may not be started', async () => {
    await agent();
    const blocker = await task({ status: 'in_review' });
    const blocked = await task();
    await db
      .getRepository(TaskDependency)
      .save({ task_id: blocked.id, depends_on_id: blocker.id, position: 0 });
    await task({ hold_reason: 'awaiting_release' });
    await task({ dispatch_after: new Date(Date.now() + 60_000) });
    await task({ auto_assign: false });
    await task({ auto_assign_role: 'reviewer' });
    await task({ status: 'cancelled' });
    expect(await claim()).toBeNull();
    await db.getRepository(Task).update(blocker.id, { status: 'done' });
    expect((await claim())?.task_id).toBe(blocked.id);
  });

  it('keeps assigned tasks for their agent, unless they may go to another while it is busy', async () => {
    const busy = await agent({ status: 'working' });
    const idle = await agent();
    await task({ auto_assign: false, assignee_id: busy.id, priority: 'critical' });
    const soft = await task({ auto_assign: true, assignee_id: busy.id, priority: 'low' });
    expect(await claim()).toMatchObject({
      task_id: soft.id,
      agent_id: idle.id,
      previous_assignee_id: busy.id,
    });
  });

  it('does not take a task from its idle assignee', async () => {
    const puller = await agent({ runtime: 'pull' });
    await agent();
    const mine = await task({ assignee_id: puller.id });
    expect(await claim()).toBeNull();
    expect(await claim({ agent_id: puller.id })).toMatchObject({ task_id: mine.id, agent_id: puller.id });
  });

  it('starts no paused agent and none whose runtime asks by itself', async () => {
    await agent({ status: 'paused' });
    await agent({ runtime: 'pull' });
    await task();
    expect(await claim()).toBeNull();
  });

  it('starts a named task for a named agent, whoever it was assigned to and without its backoff', async () => {
    const other = await agent();
    const chosen = await agent();
    const waiting = await task({
      auto_assign: false,
      assignee_id: other.id,
      dispatch_after: new Date(Date.now() + 60_000),
    });
    expect(await claim({ agent_id: chosen.id, task_id: waiting.id })).toMatchObject({ agent_id: chosen.id });
  });

  it('gives no task and no agent to two of many claimers', async () => {
    const agents = await Promise.all(Array.from({ length: 30 }, () => agent()));
    const tasks = await Promise.all(
      Array.from({ length: 45 }, (_, n) => task({ priority: n % 2 ? 'high' : 'low' })),
    );
    const others = await connectTo(database.url);
    const claims: ClaimedRun[] = [];
    const claimer = async (n: number): Promise<void> => {
      const source = n % 2 ? db : others;
      for (let empty = 0; empty < 3;) {
        const run = await source
          .transaction((manager) =>
            claimRun(manager, { team_id: team.id, lease_seconds: 60, dispatcher: `${n}` }),
          )
          .catch(() => null);
        if (run === null) empty += 1;
        else claims.push(run);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => claimer(n)));
    for (let run = await claim(); run !== null; run = await claim()) claims.push(run);
    await others.destroy();
    expect(claims.length).toBe(30);
    expect(new Set(claims.map(({ task_id }) => task_id)).size).toBe(30);
    expect(new Set(claims.map(({ agent_id }) => agent_id))).toEqual(new Set(agents.map(({ id }) => id)));
    expect(new Set(claims.map(({ fencing_token }) => fencing_token)).size).toBe(30);
    const urgent = tasks.filter(({ priority }) => priority === 'high').map(({ id }) => id);
    expect(urgent.every((id) => claims.some((run) => run.task_id === id))).toBe(true);
  });

  it('and a cancel at the same moment never both win', async () => {
    const transitions = new TaskTransitions();
    const actor = { type: 'user', id: 'someone' } as const;
    for (let round = 0; round < 25; round += 1) {
      const worker = await agent();
      const contested = await task();
      const [run, cancelled] = await Promise.all([
        claim(),
        db
          .transaction((manager) =>
            transitions.transition(manager, { task_id: contested.id, to: 'cancelled', actor }),
          )
          .then(() => true),
      ]);
      expect(cancelled).toBe(true);
      const { status } = await db.getRepository(Task).findOneByOrFail({ id: contested.id });
      expect(status).toBe('cancelled');
      const events: { data: { from: string } }[] = await db.query(
        `SELECT data FROM task_events WHERE task_id = $1 AND type = 'task.status_changed' ORDER BY id`,
        [contested.id],
      );
      expect(events.map(({ data }) => data.from)).toEqual(run === null ? ['todo'] : ['todo', 'in_progress']);
      await db.getRepository(AgentRun).delete({ agent_id: worker.id });
      await db.getRepository(Agent).update({ team_id: team.id }, { status: 'paused' });
    }
  });
});
