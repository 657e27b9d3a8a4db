import { describe, expect, it } from '@jest/globals';
import { v1, v4 } from 'uuid';
import { guidKey } from './guid-key.js';

describe('guidKey', () => {
  it('turns version 1 into version 6, as the example of RFC 9562 does', () => {
    expect(guidKey('c232ab00-9414-11ec-b3c8-9f6bdeced846')).toBe('1ec9414c-232a-6b00-b3c8-9f6bdeced846');
  });

  it('keeps GUIDs of version 1 apart, in the order of their time', () => {
    const guids = Array.from({ length: 200 }, (_, n) => v1({ msecs: 1_790_000_000_000 + n * 60_000 }));
    const keys = guids.map(guidKey);
    expect(keys.toSorted()).toEqual(keys);
    expect(guids.toSorted()).not.toEqual(guids);
    expect(new Set(keys).size).toBe(guids.length);
  });

  it.each([
    v4(),
    '72D3162E-CC78-11E3-81AB-4C9367DC0958',
    '72d3162e-cc78-11e3-01ab-4c9367dc0958',
    'c232ab00-9414-11ec-b3c8-9f6bdeced846 ',
    'delivery-1',
    '',
  ])('leaves %j as it is', (guid) => {
    expect(guidKey(guid)).toBe(guid);
  });
});
