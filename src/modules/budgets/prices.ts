/** Tokens by what they cost. */
export interface Usage {
  tokens_in: number;
  tokens_out: number;
  cache_read: number;
  cache_write: number;
}

type Prices = Readonly<Record<keyof Usage, number>>;

/** US dollars for a million tokens. A model is known by the longest of these that its name begins with. */
const PRICES: Readonly<Record<string, Prices>> = {
  'claude-sonnet-4': { tokens_in: 3, tokens_out: 15, cache_read: 0.3, cache_write: 3.75 },
  'claude-opus-4': { tokens_in: 15, tokens_out: 75, cache_read: 1.5, cache_write: 18.75 },
  'claude-3-haiku': { tokens_in: 0.25, tokens_out: 1.25, cache_read: 0.03, cache_write: 0.3 },
  'claude-haiku-3': { tokens_in: 0.25, tokens_out: 1.25, cache_read: 0.03, cache_write: 0.3 },
};

/** What a model costs that is not in the list. */
const FALLBACK: Prices = { tokens_in: 3, tokens_out: 15, cache_read: 0.3, cache_write: 3.75 };

export const KINDS = ['tokens_in', 'tokens_out', 'cache_read', 'cache_write'] as const;

const pricesOf = (model: string): Prices | undefined => {
  const name = model.toLowerCase();
  const known = Object.keys(PRICES).filter((family) => name === family || name.startsWith(`${family}-`));
  return PRICES[known.sort((a, b) => b.length - a.length)[0] ?? ''];
};

/** Whether the model's own prices are used, not the fallback. */
export const isPriceKnown = (model: string): boolean => pricesOf(model) !== undefined;

/**
 * What the tokens cost, in hundred-millionths of a dollar: a price for a million tokens, in cents, is one for a token
 * in these. Whole numbers, so that sums are exact.
 */
export function costOf(model: string, usage: Usage): bigint {
  const prices = pricesOf(model) ?? FALLBACK;
  return KINDS.reduce((sum, kind) => sum + BigInt(usage[kind]) * BigInt(Math.round(prices[kind] * 100)), 0n);
}
