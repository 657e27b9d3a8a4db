import { describe, expect, it } from '@jest/globals';
import { validate, version } from 'uuid';
import { idTime, newId } from './new-id.js';

describe('newId', () => {
  it('gives distinct version 7 UUIDs in the order they are made', () => {
    const ids = Array.from({ length: 5_000 }, newId);
    expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  it('carries the time it was made', () => {
    const before = Date.now();
    const at = idTime(newId())?.getTime() ?? 0;
    expect(at).toBeGreaterThanOrEqual(before - 1);
    expect(at).toBeLessThanOrEqual(Date.now() + 1);
  });
});
