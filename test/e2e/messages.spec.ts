import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../src/database/new-id.js';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';
import {
  makeAgent,
  makeApiKey,
  makeMembership,
  makeTeam,
  makeUser,
  makeWorkspace,
} from '../factories/accounts.js';
import { makeTask } from '../factories/tasks.js';
import { startTestService, type TestService } from '../support/service.js';

describe('messages', () => {
  let service: TestService;
  let team: Team;
  let agent: Agent;
  let key: string;
  let agentKey: string;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    const workspace = await makeWorkspace(service.db);
    ({ team, agent, key } = workspace);
    agentKey = (await makeApiKey(service.db, team.org_id, ['agent'], { agent_id: agent.id })).key;
  });

  const send = (body: object, by = key) =>
    service.http
      .post(`/api/v1/teams/${team.id}/messages`)
      .set('X-API-Key', by)
      .send({ recipient_id: agent.id, recipient_type: 'agent', content: 'Hello', ...body });
  const inbox = (query = '', by = agentKey) =>
    service.http.get(`/api/v1/agents/${agent.id}/inbox${query}`).set('X-API-Key', by);

  it('sends as who is authenticated, whatever the body claims', async () => {
    const colleague = await makeAgent(service.db, team);
    const claim = { sender_id: colleague.id, sender_type: 'user' };
    const { body: message } = await send({ ...claim, recipient_id: colleague.id }, agentKey).expect(201);
    expect(message).toMatchObject({
      id: expect.any(Number),
      team_id: team.id,
      sender_id: agent.id,
      sender_type: 'agent',
      recipient_id: colleague.id,
      recipient_type: 'agent',
      task_id: null,
      content: 'Hello',
      delivered_at: null,
      seen_at: null,
      processed_at: null,
    });
    const [row] = await service.db.query('SELECT claimed_sender, actor FROM messages WHERE id = $1', [
      message.id,
    ]);
    expect(row).toMatchObject({
      claimed_sender: { id: colleague.id, type: 'user' },
      actor: { type: 'agent', id: agent.id },
    });
  });

  it('reaches agents of the team and members of the organization only', async () => {
    const user = await makeUser(service.db);
    const asUser = { recipient_id: user.id, recipient_type: 'user' };
    await send(asUser).expect(422);
    await makeMembership(service.db, team.org_id, user.id, 'member');
    await send(asUser).expect(201);
    const elsewhere = await makeAgent(service.db, await makeTeam(service.db, team.org_id));
    await send({ recipient_id: elsewhere.id }).expect(422);
    await send({ recipient_id: newId() }).expect(422);
    await send({ recipient_type: 'team' }).expect(422);
    await send({ content: '' }).expect(422);
    await send({ content: 'a\0' }).expect(422);
    await send({ task_id: 99_999_999 }).expect(422);
    const task = await makeTask(service.db, team);
    expect((await send({ task_id: String(task.id) }).expect(201)).body.task_id).toBe(task.id);
    const stranger = await makeWorkspace(service.db);
    await send({}, stranger.key).expect(404);
  });

  it('lists newest first, marks as seen, and leaves out what is processed', async () => {
    const ids: number[] = [];
    for (const content of ['one', 'two', 'three']) ids.unshift((await send({ content })).body.id);
    const first = await inbox('?limit=2').expect(200);
    expect(first.body.map((message: { id: number }) => message.id)).toEqual(ids.slice(0, 2));
    expect(first.body[0].seen_at).toEqual(expect.any(String));
    const next = /<([^>]+)>/.exec(first.headers['link']!)![1]!;
    const rest = await service.http.get(next).set('X-API-Key', agentKey).expect(200);
    expect(rest.body.map((message: { id: number }) => message.id)).toEqual(ids.slice(2));

    const done = await service.http
      .post(`/api/v1/messages/${ids[0]}/processed`)
      .set('X-API-Key', agentKey)
      .expect(200);
    const again = await service.http
      .post(`/api/v1/messages/${ids[0]}/processed`)
      .set('X-API-Key', agentKey)
      .expect(200);
    expect(again.body.processed_at).toBe(done.body.processed_at);
    expect((await inbox()).body.map((message: { id: number }) => message.id)).toEqual(ids.slice(1));
    expect((await inbox('?unprocessed_only=false')).body).toHaveLength(3);
    await inbox('?limit=201').expect(422);
  });

  it("keeps an agent's key out of other inboxes, and strangers out of all", async () => {
    const { body: message } = await send({}).expect(201);
    const colleague = await makeAgent(service.db, team);
    const other = (await makeApiKey(service.db, team.org_id, ['agent'], { agent_id: colleague.id })).key;
    const stranger = (await makeWorkspace(service.db)).key;
    const process = (by: string) =>
      service.http.post(`/api/v1/messages/${message.id}/processed`).set('X-API-Key', by);
    await inbox('', other).expect(403);
    await process(other).expect(403);
    await inbox('', stranger).expect(404);
    await process(stranger).expect(404);
    expect((await inbox('', key).expect(200)).body).toHaveLength(1);
  });
});
