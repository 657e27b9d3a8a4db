import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Networks no outside system lives in: private, loopback, link-local (cloud metadata), documentation, multicast … */
const REFUSED_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const REFUSED_IPV6 = [
  '::/8',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

export class InvalidNetwork extends Error {
  constructor(readonly network: string) {
    super('not a network in CIDR notation');
    this.name = 'InvalidNetwork';
  }
}

/** Which addresses the service may call: everything public, and the private networks its operator allows. */
export class AddressRules {
  private readonly refused = networks([...REFUSED_IPV4, ...REFUSED_IPV6]);
  private readonly allowed: Networks;

  /** @throws InvalidNetwork when an entry is not CIDR notation. */
  constructor(allowedNetworks: string[] = []) {
    this.allowed = networks(allowedNetworks);
  }

  /** `address` is an IPv4 or IPv6 address as text; anything else is refused. */
  allows(address: string): boolean {
    const plain = withoutMapping(address.replace(/%.*$/, ''));
    if (isIPv4(plain)) return this.allowed.ipv4.check(plain) || !this.refused.ipv4.check(plain);
    if (!isIPv6(plain)) return false;
    if (this.allowed.ipv6.check(plain, 'ipv6')) return true;
    return !this.refused.ipv6.check(plain, 'ipv6') && !isIsatap(plain);
  }
}

/** Two lists: one list would also find every IPv4 address in `::/8`, as an address mapped into IPv6. */
interface Networks {
  ipv4: BlockList;
  ipv6: BlockList;
}

function networks(given: string[]): Networks {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of given) {
    const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(network) ?? [];
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null;
    if (family === null || Number(length) > (family === 'ipv4' ? 32 : 128)) throw new InvalidNetwork(network);
    lists[family].addSubnet(address, Number(length), family);
  }
  return lists;
}

/** `::ffff:127.0.0.1`, in whichever spelling, is 127.0.0.1. */
function withoutMapping(address: string): string {
  if (!isIPv6(address)) return address;
  const groups = groupsOf(address);
  if (groups.slice(0, 5).some((group) => group !== 0) || groups[5] !== 0xffff) return address;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** ISATAP hides an IPv4 address in the interface part of any prefix: `…:0:5efe:a.b.c.d`. */
function isIsatap(address: string): boolean {
  const [high, low] = groupsOf(address).slice(4, 6);
  return (high === 0 || high === 0x0200) && low === 0x5efe;
}

/** The eight groups of an IPv6 address; the URL parser knows every spelling. */
function groupsOf(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = canonical.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  if (right === undefined) return parse(left);
  const [before, after] = [parse(left), parse(right)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}
