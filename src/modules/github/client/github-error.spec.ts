import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OutboundError } from '../../../http-client/outbound-error.js';
import { githubError, type Headers } from './github-error.js';

const NOW = new Date('2026-01-01T00:00:00Z');
const answer = (status: number, headers: Headers = {}, message = 'No') =>
  githubError({ status, message, response: { headers, data: { message } } }, NOW);

describe('githubError', () => {
  it.each([
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'missing'],
    [410, 'missing'],
    [409, 'unavailable'],
    [422, 'invalid'],
    [500, 'unavailable'],
    [502, 'unavailable'],
  ])('%d is %s', (status, kind) => {
    expect(answer(status)).toMatchObject({ kind, message: `GitHub answered ${status}: No` });
  });

  const inTen = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW.getTime() / 1000 + 10) };
  it.each<[string, number, Headers, string, number]>([
    ['with Retry-After', 403, { 'retry-after': '7' }, 'No', 7],
    ['with Retry-After as a date', 429, { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 'No', 30],
    ['with the reset of the allowance', 403, inTen, 'No', 11],
    [
      "by GitHub's clock, which is an hour ahead",
      403,
      {
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': String(NOW.getTime() / 1000 + 3_610),
        date: 'Thu, 01 Jan 2026 01:00:00 GMT',
      },
      'No',
      11,
    ],
    ['without any hint', 429, {}, 'No', 60],
    ['by its words alone', 403, {}, 'You have exceeded a secondary rate limit', 60],
    ['with an absurd wait', 429, { 'retry-after': '999999999' }, 'No', 86_400],
    ['with a reset that is past', 403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' }, 'No', 1],
  ])('is a rate limit %s', (_, status, headers, message, wait_seconds) => {
    expect(answer(status, headers, message)).toMatchObject({ kind: 'rate_limited', wait_seconds });
  });

  it('is without an answer what the connection says', () => {
    const cause = new OutboundError('reset', 'The call failed (ECONNRESET)');
    expect(githubError({ status: 500, cause }, NOW)).toMatchObject({
      kind: 'unavailable',
      message: 'GitHub gave no answer: The call failed (ECONNRESET)',
    });
  });

  it('never fails, and shows no more of an answer than its message', () => {
    fc.assert(
      fc.property(fc.anything(), fc.integer({ min: 400, max: 599 }), (data, status) => {
        const error = githubError({ status, message: 'secret', response: { headers: {}, data } }, NOW);
        expect(error.message.length).toBeLessThan(300);
        expect(error.message).not.toContain('secret');
      }),
    );
    fc.assert(fc.property(fc.anything(), (thrown) => expect(githubError(thrown, NOW).kind).toBeTruthy()));
  });
});
