import { type RunUsage } from '../budgets/budgets.facade.js';

/** Our names, and those that Claude Code uses in `--output-format json`. */
const NAMES = {
  tokens_in: ['tokens_in', 'input_tokens'],
  tokens_out: ['tokens_out', 'output_tokens'],
  cache_read: ['cache_read', 'cache_read_input_tokens'],
  cache_write: ['cache_write', 'cache_creation_input_tokens'],
} as const;

const MAX_TOKENS = 100_000_000_000;
const MAX_MODEL = 200;

/**
 * What a program says it has used: the last line of its output, if that is a JSON object with an object `usage`. Anything
 * else is null: unknown.
 */
export function readUsage(output: string | null | undefined): RunUsage | null {
  const line = output?.trimEnd().split('\n').at(-1) ?? '';
  const usage = objectIn(line)?.['usage'];
  if (!isObject(usage)) return null;
  const amounts = Object.entries(NAMES).flatMap(([name, spellings]) => {
    const value = spellings.map((spelling) => usage[spelling]).find((found) => found !== undefined);
    return isTokens(value) ? [[name, value] as const] : [];
  });
  if (amounts.length === 0) return null;
  const { model } = usage;
  const isModel = typeof model === 'string' && model.length > 0 && model.length <= MAX_MODEL;
  return { ...Object.fromEntries(amounts), ...(isModel && !model.includes('\0') ? { model } : {}) };
}

const isTokens = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_TOKENS;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function objectIn(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
