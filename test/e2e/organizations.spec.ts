import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type User } from '../../src/modules/auth/user.entity.js';
import { Membership, type MemberRole } from '../../src/modules/organizations/membership.entity.js';
import { makeApiKey, makeMembership, makeOrganization, makeUser } from '../factories/accounts.js';
import { asUser, withKey } from '../support/login.js';
import { type Response } from 'supertest';
import { startTestService, type TestService } from '../support/service.js';

describe('organizations', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.close());

  const as = (user: User) => asUser(user);
  const codeOf = (answer: { text: string }) => (JSON.parse(answer.text) as { code: string }).code;

  it('belong to who makes them', async () => {
    const user = await makeUser(service.db);
    const { body } = await service.http
      .post('/api/v1/orgs')
      .set(as(user))
      .send({ name: 'Acme', slug: 'acme-1' })
      .expect(201);
    expect(body).toEqual({
      id: expect.any(String),
      name: 'Acme',
      slug: 'acme-1',
      created_at: expect.stringMatching(/Z$/),
    });
    expect((await service.http.get('/api/v1/orgs').set(as(user)).expect(200)).body).toEqual([body]);
    const members = await service.http.get(`/api/v1/orgs/${body.id}/members`).set(as(user)).expect(200);
    expect(members.body).toMatchObject([{ user_id: user.id, email: user.email, role: 'owner' }]);
    const stranger = await makeUser(service.db);
    expect((await service.http.get('/api/v1/orgs').set(as(stranger)).expect(200)).body).toEqual([]);
  });

  it('have a slug that nobody else has, also when two ask at once', async () => {
    const user = await makeUser(service.db);
    const make = () => service.http.post('/api/v1/orgs').set(as(user)).send({ name: 'X', slug: 'same' });
    const answers = await Promise.all([make(), make(), make()]);
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([201, 409, 409]);
    expect(codeOf(await make().expect(409))).toBe('slug_taken');
    expect((await service.http.get('/api/v1/orgs').set(as(user)).expect(200)).body).toHaveLength(1);
  });

  it.each([
    { slug: 'Upper' },
    { slug: '' },
    { slug: 'a b' },
    { slug: 'x'.repeat(101) },
    { name: '' },
    { name: 'x'.repeat(101) },
  ])('want name and slug: %j', async (values) => {
    const user = await makeUser(service.db);
    await service.http
      .post('/api/v1/orgs')
      .set(as(user))
      .send({ name: 'Acme', slug: 'acme', ...values })
      .expect(422);
  });

  it('are listed by name, in pages', async () => {
    const user = await makeUser(service.db);
    for (const name of ['Cedar', 'Alder', 'Birch', 'Birch']) {
      const org = await makeOrganization(service.db, { name });
      await makeMembership(service.db, org.id, user.id, 'member');
    }
    const names: string[] = [];
    let next: string | undefined = '/api/v1/orgs?limit=1';
    while (next !== undefined) {
      const page: Response = await service.http.get(next).set(as(user)).expect(200);
      names.push(...(page.body as { name: string }[]).map((one) => one.name));
      next = /<(.*)>; rel="next"/.exec(page.headers['link'] ?? '')?.[1];
    }
    expect(names).toEqual(['Alder', 'Birch', 'Birch', 'Cedar']);
  });

  it('are listed from a cursor of ours only', async () => {
    const user = await makeUser(service.db);
    const list = (position: unknown) => {
      const cursor = Buffer.from(JSON.stringify(position)).toString('base64url');
      return service.http.get(`/api/v1/orgs?cursor=${cursor}`).set(as(user));
    };
    await list(['A']).expect(400);
    await list(['A', 'not-a-uuid']).expect(400);
    await list([{}, user.id]).expect(400);
    await list(['null \0', user.id]).expect(422);
    await list(["'; DROP TABLE users --", user.id]).expect(200);
    await service.http.get('/api/v1/orgs?limit=0').set(as(user)).expect(422);
    await service.http.get('/api/v1/orgs?limit=501').set(as(user)).expect(422);
  });

  it('are not made with a key; a key sees its own', async () => {
    const org = await makeOrganization(service.db);
    const { key } = await makeApiKey(service.db, org.id);
    await service.http.post('/api/v1/orgs').set(withKey(key)).send({ name: 'X', slug: 'by-key' }).expect(403);
    expect((await service.http.get('/api/v1/orgs').set(withKey(key)).expect(200)).body).toMatchObject([
      { id: org.id },
    ]);
  });

  describe('members', () => {
    const organization = async () => {
      const org = await makeOrganization(service.db);
      const people = {} as Record<MemberRole | 'outsider', User>;
      for (const role of ['owner', 'admin', 'member'] as const) {
        people[role] = await makeUser(service.db);
        await makeMembership(service.db, org.id, people[role].id, role);
      }
      people.outsider = await makeUser(service.db);
      const path = `/api/v1/orgs/${org.id}/members`;
      const request = (
        method: 'get' | 'post' | 'patch' | 'delete',
        by: MemberRole | 'outsider',
        to = '',
        body?: object,
      ) =>
        service.http[method](path + to)
          .set(as(people[by]))
          .send(body);
      const role = async (user: User) =>
        (await service.db.getRepository(Membership).findOneBy({ org_id: org.id, user_id: user.id }))?.role;
      return { org, people, path, request, role };
    };

    it('are seen by every member, and by nobody else', async () => {
      const { request } = await organization();
      for (const by of ['owner', 'admin', 'member'] as const)
        expect((await request('get', by).expect(200)).body).toHaveLength(3);
      await request('get', 'outsider').expect(404);
    });

    it('are added by email, by admins; owners by owners', async () => {
      const { people, request, role } = await organization();
      const email = people.outsider.email.toUpperCase();
      await request('post', 'member', '', { email }).expect(403);
      await request('post', 'admin', '', { email, role: 'owner' }).expect(403);
      await request('post', 'admin', '', { email: 'nobody@example.com' }).expect(404);
      await request('post', 'admin', '', { email, role: 'king' }).expect(422);
      const { body } = await request('post', 'admin', '', { email }).expect(201);
      expect(body).toMatchObject({
        user_id: people.outsider.id,
        email: people.outsider.email,
        role: 'member',
      });
      expect(codeOf(await request('post', 'owner', '', { email }).expect(409))).toBe('already_member');
      await request('get', 'outsider').expect(200);
      expect(await role(people.outsider)).toBe('member');
    });

    it('change roles: admins below owner, owners all', async () => {
      const { people, request, role } = await organization();
      await request('patch', 'member', `/${people.member.id}`, { role: 'admin' }).expect(403);
      await request('patch', 'admin', `/${people.member.id}`, { role: 'owner' }).expect(403);
      await request('patch', 'admin', `/${people.owner.id}`, { role: 'member' }).expect(403);
      await request('patch', 'admin', `/${people.outsider.id}`, { role: 'member' }).expect(404);
      await request('patch', 'admin', `/${people.member.id}`, { role: 'admin' }).expect(200);
      await request('patch', 'owner', `/${people.member.id}`, { role: 'owner' }).expect(200);
      expect(await role(people.member)).toBe('owner');
      expect(await role(people.owner)).toBe('owner');
    });

    it('may leave; the last owner may not, nor step down', async () => {
      const { people, request } = await organization();
      expect(codeOf(await request('delete', 'owner', `/${people.owner.id}`).expect(409))).toBe('last_owner');
      expect(
        codeOf(await request('patch', 'owner', `/${people.owner.id}`, { role: 'admin' }).expect(409)),
      ).toBe('last_owner');
      await request('delete', 'member', `/${people.admin.id}`).expect(403);
      await request('delete', 'admin', `/${people.owner.id}`).expect(403);
      expect((await request('delete', 'member', `/${people.member.id}`).expect(200)).body).toEqual({
        deleted: true,
      });
      await request('get', 'member').expect(404);
      await request('patch', 'owner', `/${people.admin.id}`, { role: 'owner' }).expect(200);
      await request('delete', 'owner', `/${people.owner.id}`).expect(200);
      await request('get', 'owner').expect(404);
    });

    it('keep one owner when all leave at the same moment', async () => {
      for (let round = 0; round < 5; round++) {
        const { org, people, request } = await organization();
        for (const one of ['admin', 'member'] as const)
          await request('patch', 'owner', `/${people[one].id}`, { role: 'owner' }).expect(200);
        const answers = await Promise.all(
          (['owner', 'admin', 'member'] as const).map((one) => request('delete', one, `/${people[one].id}`)),
        );
        expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 200, 409]);
        expect(await service.db.getRepository(Membership).countBy({ org_id: org.id, role: 'owner' })).toBe(1);
      }
    });

    it('are managed with a key of scope all, short of owners', async () => {
      const { org, people, path } = await organization();
      const all = withKey((await makeApiKey(service.db, org.id)).key);
      const write = withKey((await makeApiKey(service.db, org.id, ['write'])).key);
      const add = (headers: Record<string, string>, role: MemberRole) =>
        service.http.post(path).set(headers).send({ email: people.outsider.email, role });
      await add(write, 'member').expect(403);
      await add(all, 'owner').expect(403);
      await add(all, 'member').expect(201);
      await service.http.delete(`${path}/${people.owner.id}`).set(all).expect(403);
      await service.http.delete(`${path}/${people.outsider.id}`).set(all).expect(200);
    });
  });
});
