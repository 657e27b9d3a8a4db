import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VERSION } from '../../src/config/version.js';
import { NotificationListener } from '../../src/database/notification-listener.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { newId } from '../../src/database/new-id.js';
import { makeAgent, makeWorkspace } from '../factories/accounts.js';
import { asAdmin } from '../support/database.js';
import { until } from '../support/until.js';
import { startTestService, type TestService } from '../support/service.js';

describe('health and metrics', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ ENTOURAGE_ROLES: ['api'], ENTOURAGE_MAX_DISPATCH_WAIT_SECONDS: 1 });
    await until(() => service.app.get(NotificationListener).health.connected, 'the state');
  });
  afterAll(() => service.close());

  it('tells how it is without a credential', async () => {
    const answer = await service.http.get('/api/v1/health').expect(200);
    expect(answer.body).toEqual({
      status: 'healthy',
      server: 'ok',
      version: VERSION,
      postgres: 'ok',
      redis: 'not_used',
      listener: 'ok',
    });
    await service.http.get('/api/v1/health/live').expect(200, { status: 'ok' });
    await service.http.get('/api/v1/health/ready').expect(200, { status: 'ready' });
  });

  it('tells part by part, and nothing secret', async () => {
    const { body, text } = await service.http.get('/api/v1/health/detailed').expect(200);
    expect(body).toMatchObject({
      status: 'healthy',
      faults: [],
      postgres: { status: 'ok', pool: { total: expect.any(Number) } },
      listener: { status: 'ok', reconnects: 0 },
      queue: { waiting_tasks: 0, active_runs: 0 },
    });
    for (const secret of [service.settings.ENTOURAGE_JWT_SECRET, service.settings.DATABASE_URL])
      expect(text).not.toContain(secret);
  });

  it('answers Prometheus', async () => {
    const answer = await service.http.get('/metrics').expect(200);
    expect(answer.headers['content-type']).toMatch('text/plain');
    for (const name of [
      'entourage_tasks_waiting 0',
      'entourage_listener_connected 1',
      'entourage_db_pool{state="total"}',
      'nodejs_eventloop_lag_seconds',
      'process_resident_memory_bytes',
    ])
      expect(answer.text).toContain(name);
  });

  it('is not ready while a task that could start is left lying, and says so', async () => {
    const { org, team } = await makeWorkspace(service.db);
    const agent = await makeAgent(service.db, team, {
      runtime: 'command',
      runtime_config: { command: 'none' },
    });
    const task = await service.db.getRepository(Task).save({
      org_id: org.id,
      team_id: team.id,
      title: 'left lying',
      assignee_id: agent.id,
      branch: 'task-left-lying',
      correlation_id: newId(),
    } as Task);
    await until(async () => (await service.http.get('/api/v1/health/ready')).status === 503, 'the state');
    const refused = await service.http.get('/api/v1/health/ready').expect(503);
    expect(JSON.parse(refused.text)).toMatchObject({
      code: 'service_unavailable',
      detail: 'Not ready: tasks that could start are not started',
    });
    expect((await service.http.get('/metrics')).text).toMatch(/entourage_tasks_waiting 1\n/);
    await service.db.getRepository(Task).update(task.id, { status: 'cancelled' });
    await until(async () => (await service.http.get('/api/v1/health/ready')).status === 200, 'the state');
  });

  it('asks for the token where one is set', async () => {
    const closed = await startTestService({ ENTOURAGE_METRICS_TOKEN: 'metrics-token-0123456789' });
    try {
      await closed.http.get('/metrics').expect(401);
      await closed.http.get('/metrics').set('Authorization', 'Bearer wrong').expect(401);
      await closed.http.get('/metrics').set('Authorization', 'Bearer metrics-token-0123456789').expect(200);
    } finally {
      await closed.close();
    }
  });

  it('is degraded and not ready without its database, within two seconds', async () => {
    const gone = await startTestService();
    try {
      const name = new URL(gone.settings.DATABASE_URL).pathname.slice(1);
      await asAdmin(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await asAdmin('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      await until(async () => (await gone.http.get('/api/v1/health/ready')).status === 503, 'the state');
      const began = Date.now();
      const answer = await gone.http.get('/api/v1/health').expect(200);
      expect(Date.now() - began).toBeLessThan(2_500);
      expect(answer.body).toMatchObject({ status: 'degraded', postgres: 'error', listener: 'error' });
      await gone.http.get('/api/v1/health/live').expect(200);
      await gone.http.get('/metrics').expect(200);
      await asAdmin(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      await until(async () => (await gone.http.get('/api/v1/health/ready')).status === 200, 'the state');
    } finally {
      await gone.close();
    }
  });
});
