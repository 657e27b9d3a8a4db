import { describe, expect, it } from '@jest/globals';
import { OutboundError, type OutboundErrorCode } from '../../../http-client/outbound-error.js';
import { judgeAttempt, type Verdict } from './judge-attempt.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const first = { failures: 0, manual: false };
const answered = (status: number, headers: Record<string, string> = {}, tried = first): Verdict =>
  judgeAttempt({ status, headers, body: '', truncated: false }, tried, NOW, 0.5);
const failed = (code: OutboundErrorCode, tried = first): Verdict =>
  judgeAttempt(new OutboundError(code, 'why'), tried, NOW, 0.5);

describe('judgeAttempt', () => {
  it.each([200, 201, 202, 204, 299])('%i is success', (status) => {
    expect(answered(status)).toMatchObject({ outcome: 'succeeded', call: 'success', retry_in: null });
  });

  it.each([301, 302, 307, 308, 408, 409, 425, 451, 500, 502, 504, 599, 100])(
    '%i is tried again on the schedule',
    (status) => {
      expect(answered(status)).toMatchObject({ outcome: 'failed', error: `http_${status}`, retry_in: 5 });
      expect(answered(status, {}, { failures: 9, manual: false }).retry_in).toBe(86_400);
      expect(answered(status, {}, { failures: 10, manual: false }).retry_in).toBeNull();
    },
  );

  it.each([400, 401, 403, 404, 405, 413, 422])('%i is tried three times', (status) => {
    const retries = [0, 1, 2].map((failures) => answered(status, {}, { failures, manual: false }).retry_in);
    expect(retries).toEqual([5, 30, null]);
  });

  it('410 ends it and disables the webhook', () => {
    expect(answered(410)).toMatchObject({ outcome: 'failed', retry_in: null, disable: 'gone' });
  });

  it('waits as long as Retry-After says, at least a minute on 429', () => {
    expect(answered(429).retry_in).toBe(60);
    expect(answered(429, { 'retry-after': '600' }).retry_in).toBe(600);
    expect(answered(503, { 'retry-after': 'Sun, 01 Mar 2026 12:02:00 GMT' }).retry_in).toBe(120);
    expect(answered(503).retry_in).toBe(5);
    expect(answered(503, { 'retry-after': '999999' }).retry_in).toBe(36_000);
    expect(answered(503, { 'retry-after': '1' }, { failures: 3, manual: false }).retry_in).toBe(1800);
  });

  it('does what the receiver asks for', () => {
    expect(answered(500, { 'webhook-delivery': 'abort-message' })).toMatchObject({
      retry_in: null,
      disable: null,
    });
    expect(answered(500, { 'webhook-delivery': 'disable' })).toMatchObject({
      retry_in: null,
      disable: 'receiver_asked',
    });
    expect(answered(200, { 'webhook-delivery': 'disable' })).toMatchObject({
      outcome: 'succeeded',
      disable: 'receiver_asked',
    });
  });

  it.each<[OutboundErrorCode, number]>([
    ['dns', 5],
    ['connect', 5],
    ['reset', 5],
    ['tls', 5],
    ['protocol', 5],
    ['address_refused', 5],
    ['timeout', 60],
  ])('%s is an error of the connection, tried again after %i s', (code, seconds) => {
    expect(failed(code)).toEqual({
      outcome: 'failed',
      error: code,
      detail: 'why',
      call: 'connection_error',
      retry_in: seconds,
      disable: null,
    });
  });

  it('follows no schedule where a person asked for one attempt', () => {
    expect(answered(500, {}, { failures: 0, manual: true }).retry_in).toBeNull();
    expect(failed('timeout', { failures: 0, manual: true }).retry_in).toBeNull();
  });
});
