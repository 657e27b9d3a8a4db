import { describe, expect, it } from '@jest/globals';
import { type IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { ByteBudget } from './byte-budget.js';
import { readBody } from './read-body.js';

const LIMITS = { max_bytes: 1_000, total_ms: 10_000, idle_ms: 10_000 };
const request = (headers: Record<string, string> = {}): IncomingMessage & PassThrough =>
  Object.assign(new PassThrough(), { headers }) as unknown as IncomingMessage & PassThrough;
const budget = (): ByteBudget => new ByteBudget(1_000_000, 1_000_000);

describe('readBody', () => {
  it('gives every piece as it comes, and the whole', async () => {
    const incoming = request();
    const fed: string[] = [];
    const held = budget();
    const reading = readBody(incoming, held, (chunk) => fed.push(chunk.toString()), LIMITS);
    incoming.write('one');
    incoming.write('two');
    incoming.end();
    const { body, release } = await reading;
    expect(body.toString()).toBe('onetwo');
    expect(fed.join('')).toBe('onetwo');
    expect(held.held).toBe(6);
    release();
    release();
    expect(held.held).toBe(0);
  });

  it.each([
    ['that says it is too long', { 'content-length': '1001' }, ''],
    ['that is too long', {}, 'x'.repeat(1_001)],
  ])('refuses a body %s', async (_, headers, bytes) => {
    const incoming = request(headers);
    const held = budget();
    const reading = readBody(incoming, held, () => undefined, LIMITS);
    incoming.write(bytes || 'x');
    await expect(reading).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(held.held).toBe(0);
  });

  it.each([
    ['in all', { total_ms: 20 }],
    ['between two pieces', { idle_ms: 20 }],
  ])('does not wait for ever %s', async (_, limits) => {
    const incoming = request();
    const reading = readBody(incoming, budget(), () => undefined, { ...LIMITS, ...limits });
    incoming.write('x');
    await expect(reading).rejects.toMatchObject({ code: 'request_timeout' });
  });

  it('gives back what a body that was cut off held', async () => {
    const incoming = request();
    const held = budget();
    const reading = readBody(incoming, held, () => undefined, LIMITS);
    incoming.write('x');
    incoming.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'bad_request' });
    expect(held.held).toBe(0);
  });

  it('answers 503 when there is no memory left, and keeps room for ordinary bodies', async () => {
    const limits = { ...LIMITS, max_bytes: 10_000_000 };
    const held = new ByteBudget(1_000_000, 1_000_000);
    const large = request();
    const first = readBody(large, held, () => undefined, limits);
    large.end(Buffer.alloc(1_200_000));
    await first;
    const another = request();
    const second = readBody(another, held, () => undefined, limits);
    another.end(Buffer.alloc(500_000));
    await expect(second).rejects.toMatchObject({ code: 'service_unavailable' });
    const ordinary = request();
    const third = readBody(ordinary, held, () => undefined, limits);
    ordinary.end(Buffer.alloc(200_000));
    expect((await third).body).toHaveLength(200_000);
  });
});
