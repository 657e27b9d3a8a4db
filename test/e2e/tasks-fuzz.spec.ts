import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { type Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import { makeWorkspace } from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';

describe('whatever is sent to the routes of tasks', () => {
  let service: TestService;
  let team: Team;
  let agent: Agent;
  let task: Task;
  let key: string;
  beforeAll(async () => {
    service = await startTestService();
    ({ team, agent, key } = await makeWorkspace(service.db));
    task = await makeTask(service.db, team);
  });
  afterAll(() => service.close());

  it('never breaks the service by its body', async () => {
    const routes = [
      ['post', `teams/${team.id}/tasks`],
      ['post', `teams/${team.id}/tasks/batch`],
      ['patch', `tasks/${task.id}`],
      ['post', `tasks/${task.id}/status`],
      ['post', `tasks/${task.id}/archive`],
      ['post', `tasks/${task.id}/assign`],
      ['post', `tasks/${task.id}/release`],
      ['put', `tasks/${task.id}/dependencies`],
      ['post', `tasks/${task.id}/decompose`],
      ['post', `tasks/${task.id}/context`],
      ['post', `teams/${team.id}/messages`],
    ] as const;
    const bodies = [
      '',
      'null',
      '5',
      '"x"',
      '[]',
      '[[]]',
      '{',
      '{"title":null}',
      '{"title":{}}',
      '{"tasks":[null]}',
      '{"tasks":[5]}',
      '{"tasks":[[]]}',
      '{"tasks":{"a":1}}',
      '{"tasks":[{"title":"x","depends_on_indices":[null]}]}',
      '{"title":"x","depends_on":[null]}',
      '{"title":"x","depends_on":[1e400]}',
      '{"title":"x","depends_on":[1.5]}',
      '{"title":"x","repo_ids":[null]}',
      '{"title":"x","tags":[null]}',
      '{"title":"x","description":"\\u0000"}',
      '{"title":"x","description":"\\ud800"}',
      '{"status":{"a":1}}',
      '{"status":"toString"}',
      '{"status":"cancelled","reason":"\\u0000"}',
      '{"status":"todo","actor_id":"\\u0000"}',
      '{"actor_id":5}',
      '{"assignee_id":{"$gt":""}}',
      '{"version":1e400,"title":"q"}',
      '{"version":"x"}',
      '{"tags":["a","a"]}',
      '{"key":"__proto__","value":{"__proto__":{"a":1}}}',
      '{"key":"constructor","value":1}',
      '{"depends_on":"5"}',
      '{"depends_on":[9007199254740993]}',
      '{"depends_on":[]}',
      '{"depends_on":[],"on_cancel":{"$gt":""}}',
      `{"title":"x","parent_id":${task.id}}`,
      '{"title":"x","parent_id":null}',
      '{"title":"x","parent_id":1e400}',
      '{"parent_id":{"a":1}}',
      '{"parent_id":[1]}',
      '{"subtasks":null}',
      '{"subtasks":{"a":1}}',
      '{"subtasks":[null]}',
      '{"subtasks":[[]]}',
      '{"subtasks":[{"title":"x","depends_on_indices":[1e400]}]}',
      '{"subtasks":[{"title":"x","depends_on_indices":[null]}]}',
      '{"subtasks":[{"title":"x","depends_on_indices":{"a":1}}]}',
      '{"subtasks":[{"title":"x","agent":"\\u0000"}]}',
      '{"subtasks":[{"title":"x","agent":null,"role":null,"assignee_id":null,"repo_ids":null,"on_cancel":null}]}',
      '{"subtasks":[{"title":"x","depends_on":[9007199254740991]}]}',
      '{"subtasks":[{"title":"x"}],"idempotency_key":"\\ud800"}',
      '{"subtasks":[{"title":"x"}],"idempotency_key":{"a":1}}',
      '{"subtasks":[{"title":"x"}],"idempotency_key":null}',
      '{"recipient_id":null,"recipient_type":"agent","content":"x"}',
      `{"recipient_id":"${agent.id}","recipient_type":"agent","content":"x","task_id":1e30}`,
      `{"recipient_id":"${agent.id}","recipient_type":"agent","content":"x","sender_id":null,"sender_type":null,"task_id":null}`,
      '{"__proto__":{"title":"x"}}',
      `{"title":"x","assignee_id":"${agent.id.toUpperCase()}","dri_id":"${agent.id.toUpperCase()}"}`,
    ];
    const broken: string[] = [];
    for (const [method, path] of routes)
      for (const body of bodies) {
        const { status } = await service.http[method](`/api/v1/${path}`)
          .set('X-API-Key', key)
          .set('Content-Type', 'application/json')
          .send(body);
        if (status >= 500) broken.push(`${method} ${path} ${body}: ${status}`);
      }
    expect(broken).toEqual([]);
  });

  it('never breaks the service by its query', async () => {
    const queries = [
      'limit=1e400',
      'limit[]=1',
      'status[]=a',
      'status=%00',
      'assignee_id=%00',
      'cursor=%00',
      ...['[1e400]', '[1.5]', '[-5]', '[null]', '[1e300]', '{}', '[[1]]'].map(
        (text) => `cursor=${Buffer.from(text).toString('base64url')}`,
      ),
      'offset=1e9',
      'include_archived=x',
      'limit=1&limit=2',
    ];
    const broken: string[] = [];
    for (const path of [
      `teams/${team.id}/tasks`,
      `tasks/${task.id}/events`,
      `tasks/${task.id}/subtasks`,
      `tasks/${task.id}/timeline`,
      `agents/${agent.id}/inbox`,
    ])
      for (const query of queries) {
        const { status } = await service.http.get(`/api/v1/${path}?${query}`).set('X-API-Key', key);
        if (status >= 500) broken.push(`${path}?${query}: ${status}`);
      }
    expect(broken).toEqual([]);
  });
});
