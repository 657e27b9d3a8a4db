import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { RefreshToken } from '../../src/modules/auth/refresh-token.entity.js';
import { User } from '../../src/modules/auth/user.entity.js';
import { startTestService, type TestService } from '../support/service.js';

describe('users', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.close());

  const post = (path: string, body: object) => service.http.post(`/api/v1/auth/${path}`).send(body);
  let number = 0;
  const newUser = async () => {
    const user = { email: `ada${++number}@example.com`, name: 'Ada', password: 'correct horse' };
    const { body } = await post('register', user).expect(201);
    return { ...user, id: body.id as string };
  };
  const login = async (user: { email: string; password: string }) =>
    (await post('login', user).expect(200)).body as { access_token: string; refresh_token: string };
  const claims = (token: string) => new JwtService({}).decode<Record<string, unknown>>(token);
  const problem = (answer: { text: string }) => JSON.parse(answer.text) as Record<string, unknown>;

  describe('register', () => {
    it('opens an account, its email lower-cased and trimmed, its password as argon2id', async () => {
      const { body } = await post('register', {
        email: '  Grace.Hopper@Example.COM ',
        name: 'Grace',
        password: 'cobol-1959',
      }).expect(201);
      expect(body).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        email: 'grace.hopper@example.com',
        name: 'Grace',
        created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      });
      const row = await service.db.getRepository(User).findOneByOrFail({ id: body.id });
      expect(row.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    });

    it('refuses an address that has an account, also when both come at once', async () => {
      const user = await newUser();
      const answer = await post('register', { ...user, email: user.email.toUpperCase() }).expect(409);
      expect(problem(answer)).toMatchObject({ code: 'email_taken', detail: 'Email already registered' });
      const twice = { email: 'twice@example.com', name: 'T', password: 'password1' };
      const answers = await Promise.all([1, 2, 3, 4].map(() => post('register', twice)));
      expect(answers.map((one) => one.status).sort((a, b) => a - b)).toEqual([201, 409, 409, 409]);
    });

    it.each([
      ['email', { email: 'not-an-address' }],
      ['email', { email: null }],
      ['email', { email: { $ne: 1 } }],
      ['password', { password: 'seven77' }],
      ['password', { password: 'x'.repeat(1025) }],
      ['name', { name: '' }],
      ['name', { name: 'null \0 character' }],
    ])('wants a right %s: %j', async (field, values) => {
      const body = { email: 'x@example.com', name: 'X', password: 'password1', ...values };
      const answer = await post('register', body).expect(422);
      expect(problem(answer)).toMatchObject({ code: 'validation_failed', errors: [{ field }] });
    });
  });

  describe('login', () => {
    it('gives an access token of 60 minutes and a refresh token of 30 days', async () => {
      const user = await newUser();
      const { body } = await post('login', { ...user, email: ` ${user.email.toUpperCase()} ` }).expect(200);
      expect(body).toEqual({
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        token_type: 'bearer',
      });
      const access = claims(body.access_token);
      const refresh = claims(body.refresh_token);
      const common = { sub: user.id, iss: 'entourage', aud: 'entourage-api', jti: expect.any(String) };
      expect(access).toMatchObject({ ...common, type: 'access' });
      expect(refresh).toMatchObject({ ...common, type: 'refresh' });
      expect(Number(access['exp']) - Number(access['iat'])).toBe(3600);
      expect(Number(refresh['exp']) - Number(refresh['iat'])).toBe(30 * 24 * 3600);
      const me = await service.http
        .get('/api/v1/auth/me')
        .set({ Authorization: `Bearer ${body.access_token}` })
        .expect(200);
      expect(me.body).toEqual({ type: 'user', id: user.id, email: user.email, name: 'Ada' });
    });

    it('answers a wrong password and an unknown account alike, after like work', async () => {
      const user = await newUser();
      // The quickest of several: whatever else the machine does only adds to it.
      const timed = async (body: object): Promise<[Record<string, unknown>, number]> => {
        let told: Record<string, unknown> = {};
        let quickest = Infinity;
        for (let round = 0; round < 4; round++) {
          const start = performance.now();
          told = { ...problem(await post('login', body).expect(401)), request_id: null };
          quickest = Math.min(quickest, performance.now() - start);
        }
        return [told, quickest];
      };
      const [wrong, wrongTime] = await timed({ ...user, password: 'wrong horse' });
      const [unknown, unknownTime] = await timed({ email: 'nobody@example.com', password: 'correct horse' });
      expect(wrong).toMatchObject({ code: 'invalid_credentials', detail: 'Invalid credentials' });
      expect(unknown).toEqual(wrong);
      // Without the work for nobody's account the ratio is above ten.
      expect(wrongTime / unknownTime).toBeLessThan(5);
    });

    it('has no password for an account without a hash', async () => {
      const { id, email } = await newUser();
      await service.db.getRepository(User).update(id, { password_hash: 'none' });
      await post('login', { email, password: 'none' }).expect(401);
    });
  });

  describe('refresh', () => {
    const refresh = (refresh_token: string) => post('refresh', { refresh_token });

    it('gives a new pair and takes the old token out of use', async () => {
      const first = await login(await newUser());
      const second = (await refresh(first.refresh_token).expect(200)).body;
      expect(second.refresh_token).not.toBe(first.refresh_token);
      expect(second.token_type).toBe('bearer');
      await refresh(second.refresh_token).expect(200);
    });

    it('ends the whole line when a token is used twice', async () => {
      const user = await newUser();
      const other = await login(user);
      const first = await login(user);
      const second = (await refresh(first.refresh_token).expect(200)).body;
      const third = (await refresh(second.refresh_token).expect(200)).body;
      const reuse = await refresh(first.refresh_token).expect(401);
      expect(problem(reuse)).toMatchObject({ code: 'invalid_token' });
      await refresh(third.refresh_token).expect(401);
      await refresh(second.refresh_token).expect(401);
      await refresh(other.refresh_token).expect(200);
    });

    it('lets one of many that come at once win', async () => {
      const user = await newUser();
      const { refresh_token } = await login(user);
      const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refresh_token)));
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
      expect(answers.filter((answer) => answer.status === 401)).toHaveLength(19);
      // The token was out twice: its line is over, the winner's token included.
      const winner = answers.find((answer) => answer.status === 200)!.body.refresh_token;
      await refresh(winner).expect(401);
      const rows = await service.db.getRepository(RefreshToken).findBy({ user_id: user.id });
      expect(rows).toHaveLength(2);
      expect(rows.every((row) => row.revoked_at !== null)).toBe(true);
    });

    it('leaves no token of a line in use, whichever of reuse and refresh comes first', async () => {
      const user = await newUser();
      for (let round = 0; round < 10; round++) {
        const first = await login(user);
        const second = (await refresh(first.refresh_token).expect(200)).body;
        const [, next] = await Promise.all([refresh(first.refresh_token), refresh(second.refresh_token)]);
        if (next.status === 200) await refresh(next.body.refresh_token).expect(401);
      }
    });

    it('takes refresh tokens only, and only known ones', async () => {
      const pair = await login(await newUser());
      const access = await refresh(pair.access_token).expect(401);
      expect(problem(access)).toMatchObject({ code: 'not_a_refresh_token', detail: 'Not a refresh token' });
      await refresh('nonsense').expect(401);
      const { refresh_token } = await login(await newUser());
      await service.db.getRepository(RefreshToken).delete({ id: claims(refresh_token)['jti'] as string });
      await refresh(refresh_token).expect(401);
      await refresh('').expect(422);
    });

    it('is no access token', async () => {
      const { refresh_token } = await login(await newUser());
      await service.http
        .get('/api/v1/auth/me')
        .set({ Authorization: `Bearer ${refresh_token}` })
        .expect(401);
    });

    it('forgets expired tokens', async () => {
      const user = await newUser();
      await login(user);
      await service.db
        .getRepository(RefreshToken)
        .update({ user_id: user.id }, { expires_at: new Date(Date.now() - 1000) });
      await login(user);
      expect(await service.db.getRepository(RefreshToken).countBy({ user_id: user.id })).toBe(1);
    });
  });
});
