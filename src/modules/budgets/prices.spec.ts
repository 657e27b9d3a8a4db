import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { costOf, isPriceKnown, type Usage } from './prices.js';

const NONE: Usage = { tokens_in: 0, tokens_out: 0, cache_read: 0, cache_write: 0 };
const MILLION: Usage = { tokens_in: 1e6, tokens_out: 1e6, cache_read: 1e6, cache_write: 1e6 };

describe('prices', () => {
  it.each([
    ['claude-sonnet-4-20250514', 3 + 15 + 0.3 + 3.75, true],
    ['claude-opus-4', 15 + 75 + 1.5 + 18.75, true],
    ['Claude-3-Haiku-20240307', 0.25 + 1.25 + 0.03 + 0.3, true],
    ['gpt-unknown', 3 + 15 + 0.3 + 3.75, false],
    ['claude-opus-40', 3 + 15 + 0.3 + 3.75, false],
    ['', 3 + 15 + 0.3 + 3.75, false],
  ])('of %j', (model, dollars, known) => {
    expect(Number(costOf(model, MILLION)) / 1e8).toBeCloseTo(dollars, 8);
    expect(isPriceKnown(model)).toBe(known);
  });

  it('tell the cheapest single token from nothing', () => {
    expect(costOf('claude-3-haiku', { ...NONE, cache_read: 1 })).toBe(3n);
    expect(costOf('claude-3-haiku', NONE)).toBe(0n);
  });

  it('add up exactly, however usage is divided', () => {
    const tokens = fc.nat({ max: 1e9 });
    const usage = fc.record({
      tokens_in: tokens,
      tokens_out: tokens,
      cache_read: tokens,
      cache_write: tokens,
    });
    fc.assert(
      fc.property(fc.array(usage), (parts) => {
        const whole = parts.reduce<Usage>(
          (sum, part) => ({
            tokens_in: sum.tokens_in + part.tokens_in,
            tokens_out: sum.tokens_out + part.tokens_out,
            cache_read: sum.cache_read + part.cache_read,
            cache_write: sum.cache_write + part.cache_write,
          }),
          NONE,
        );
        expect(parts.reduce((sum, part) => sum + costOf('claude-opus-4', part), 0n)).toBe(
          costOf('claude-opus-4', whole),
        );
      }),
    );
  });
});
