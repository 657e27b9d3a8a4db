import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseWebhookConfig } from './parse-webhook-config.js';
import { writeBackOf } from './webhook-config.js';

describe('config.write_back', () => {
  it.each<[unknown, { close: boolean; label: string | null } | null]>([
    [undefined, null],
    [false, null],
    [true, { close: false, label: null }],
    [{}, { close: false, label: null }],
    [{ close: true }, { close: true, label: null }],
    [{ label: ' done ' }, { close: false, label: 'done' }],
    [
      { close: false, label: '🟢'.repeat(50) },
      { close: false, label: '🟢'.repeat(50) },
    ],
  ])('%j is taken', (write_back, meaning) => {
    const { config, faults } = parseWebhookConfig(write_back === undefined ? {} : { write_back });
    expect(faults).toEqual([]);
    expect(writeBackOf(config)).toEqual(meaning);
  });

  it.each([
    'yes',
    1,
    [],
    { closed: true },
    { close: 'yes' },
    { close: null },
    { label: '' },
    { label: ' ' },
    { label: 'x'.repeat(51) },
    { label: 'a\0b' },
    { label: null },
    { label: 3 },
  ])('%j is refused', (write_back) => {
    const { faults } = parseWebhookConfig({ write_back });
    expect(faults.map(({ field }) => field)).toEqual(['config.write_back']);
  });

  it('is refused or means something, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (write_back) => {
        const { config, faults } = parseWebhookConfig({ write_back });
        if (faults.length === 0) expect(() => writeBackOf(config)).not.toThrow();
      }),
    );
  });
});
