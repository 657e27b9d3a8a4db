import { describe, expect, it } from '@jest/globals';
import { readUsage } from './read-usage.js';

describe('readUsage', () => {
  it('reads the last line, in our names or those of Claude Code', () => {
    expect(
      readUsage('working\n{"usage": {"tokens_in": 5, "tokens_out": 0, "model": "claude-opus-4"}}\n\n'),
    ).toEqual({
      tokens_in: 5,
      tokens_out: 0,
      model: 'claude-opus-4',
    });
    const claude = {
      type: 'result',
      result: 'Done.',
      usage: {
        input_tokens: 1,
        cache_creation_input_tokens: 2,
        cache_read_input_tokens: 3,
        output_tokens: 4,
        service_tier: 'standard',
      },
    };
    expect(readUsage(JSON.stringify(claude))).toEqual({
      tokens_in: 1,
      tokens_out: 4,
      cache_read: 3,
      cache_write: 2,
    });
  });

  it.each([
    [undefined],
    [''],
    ['done'],
    ['{"usage": {"tokens_in": 5}}\nand more'],
    ['{"usage": {"tokens_in": -5}}'],
    ['{"usage": {"tokens_in": "5"}}'],
    ['{"usage": [5]}'],
    ['{"usage": {}}'],
    ['{"usage": '],
    ['[1]'],
  ])('knows nothing from %j', (output) => {
    expect(readUsage(output)).toBeNull();
  });
});
