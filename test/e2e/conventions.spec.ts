import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, type TestService } from '../support/service.js';

describe('conventions of every answer', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.close());

  it('answers an unknown route with problem+json, request id and security headers', async () => {
    const answer = await service.http.get('/api/v1/nothing').set('X-Request-ID', 'abc-1').expect(404);
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(answer.headers).toMatchObject({
      'x-request-id': 'abc-1',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'x-xss-protection': '1; mode=block',
      'referrer-policy': 'strict-origin-when-cross-origin',
    });
    expect(Number(answer.headers['x-request-duration-ms'])).toBeGreaterThanOrEqual(0);
    expect(JSON.parse(answer.text)).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'Not Found',
      code: 'not_found',
      request_id: 'abc-1',
    });
  });

  it.each([
    ['cut short', '{"email": ', 'application/json', 422, 'validation_failed'],
    ['in a charset it cannot read', '{}', 'application/json; charset=klingon', 415, 'unsupported_media_type'],
    [
      'too large',
      JSON.stringify({ email: 'a'.repeat(2_100_000) }),
      'application/json',
      413,
      'payload_too_large',
    ],
  ])('refuses a body that is %s', async (_, body, type, status, code) => {
    const answer = await service.http
      .post('/api/v1/auth/login')
      .set('Content-Type', type)
      .serialize((text: string) => text)
      .send(body);
    expect({ status: answer.status, code: (JSON.parse(answer.text) as { code: string }).code }).toEqual({
      status,
      code,
    });
  });

  it('refuses a body nested so deep that walking it would overflow the stack', async () => {
    const body = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const answer = await service.http
      .post('/api/v1/auth/login')
      .set('Content-Type', 'application/json')
      .send(body)
      .expect(422);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'validation_failed' });
  });

  it('documents how every route fails', async () => {
    const { body } = (await service.http.get('/docs-json').expect(200)) as {
      body: { paths: Record<string, Record<string, { responses: Record<string, { content?: object }> }>> };
    };
    const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({ route: `${method} ${path}`, responses })),
    );
    expect(operations.length).toBeGreaterThan(50);
    for (const { route, responses } of operations) {
      expect([route, responses['default']?.content]).toEqual([
        route,
        { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      ]);
    }
  });

  it('redirects a trailing slash, keeping the query', async () => {
    const answer = await service.http.get('/api/v1/orgs/?limit=1').expect(307);
    expect(answer.headers['location']).toBe('/api/v1/orgs?limit=1');
  });
});
