import { describe, expect, it } from '@jest/globals';
import { examples } from '../../../../test/fixtures/github/payloads.js';
import { bodyTime } from './body-time.js';

const timeOf = (text: string): string => bodyTime(Buffer.from(text)).toISOString();
const NONE = '1970-01-01T00:00:00.000Z';

describe('bodyTime', () => {
  it.each([
    [
      '{"issue":{"created_at":"2019-05-15T15:20:18Z","updated_at":"2019-05-15T15:20:19Z"}}',
      '2019-05-15T15:20:19',
    ],
    [
      '{"a":{"updated_at":"2020-01-01T00:00:00Z"},"b":{"updated_at":"2019-01-01T00:00:00Z"}}',
      '2020-01-01T00:00:00',
    ],
    [
      '{"repository":{"updated_at":"2019-05-15T15:19:25Z","pushed_at":1557933657,"x":1}}',
      '2019-05-15T15:20:57',
    ],
    ['{"repository":{"pushed_at":"2019-05-15T15:20:57Z"}}', '2019-05-15T15:20:57'],
    ['{"repository":{"pushed_at":1557933657}}', '2019-05-15T15:20:57'],
  ])('%s', (body, time) => {
    expect(timeOf(body)).toBe(`${time}.000Z`);
  });

  it.each([
    '',
    '{}',
    '{"updated_at":null}',
    '{"updated_at":"yesterday"}',
    '{"updated_at":"2019-13-45T99:99:99Z"}',
    '{"pushed_at":',
    '{"pushed_at":-5}',
    '{"pushed_at":{"updated_at":true}}',
    '{"pushed_at":999999999999}',
    '{"pushed_at":1557933657000}',
    String.raw`{"body":"\"updated_at\":\"2019-05-15T15:20:19Z\""}`,
  ])('none in %s', (body) => {
    expect(timeOf(body)).toBe(NONE);
  });

  it('reads no further than some fields, however many there are', () => {
    const field = (year: number): string => `"updated_at":"${year}-01-01T00:00:00Z"`;
    const body = (old: number): string =>
      [...Array.from({ length: old }, () => field(2001)), field(2020)].join();
    expect(timeOf(body(63))).toBe('2020-01-01T00:00:00.000Z');
    expect(timeOf(body(64))).toBe('2001-01-01T00:00:00.000Z');
  });

  it.each(['issues', 'pull_request', 'push', 'check_run', 'issue_comment'])(
    'finds one in %s of GitHub',
    (name) => {
      for (const example of examples('api.github.com').find((event) => event.name === name)?.examples ?? [])
        expect(timeOf(JSON.stringify(example))).not.toBe(NONE);
    },
  );
});
