import { describe, expect, it } from '@jest/globals';
import { AddressRules, InvalidNetwork } from './address-rules.js';

describe('AddressRules', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:0:127.0.0.1',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '2606:4700::5efe:7f00:1',
    'not an address',
    'localhost',
    '',
  ])('refuses %s', (address) => {
    expect(new AddressRules().allows(address)).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '140.82.121.3',
    '172.32.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '2a00:1450:4001::8a',
  ])('allows %s', (address) => {
    expect(new AddressRules().allows(address)).toBe(true);
  });

  it('allows the networks its operator names, however the address is written', () => {
    const rules = new AddressRules(['127.0.0.0/8', 'fd00::/8']);
    expect(['127.0.0.1', '::ffff:7f00:1', 'fd00::1'].map((address) => rules.allows(address))).toEqual([
      true,
      true,
      true,
    ]);
    expect(['10.0.0.1', '::1', 'fc00::1'].map((address) => rules.allows(address))).toEqual([
      false,
      false,
      false,
    ]);
  });

  it.each(['10.0.0.0', '10.0.0.0/33', 'private', '::/129', ''])('refuses %j as a network', (network) => {
    expect(() => new AddressRules([network])).toThrow(InvalidNetwork);
  });
});
