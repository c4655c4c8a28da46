/** For whom failures are counted: whoever has a /64 of IPv6 has 2**64 addresses. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkOf } from '../../src/endpoints/rate.ts';

/** As a URL spells it, which is independent of how this project reads addresses. */
const spelled = (groups: readonly number[]): string =>
  new URL(`http://[${groups.map((g) => g.toString(16)).join(':')}]/`).hostname.slice(1, -1);
const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
const half = fc.array(group, { minLength: 4, maxLength: 4 });

test('all addresses of one /64 are one, and those of two are two, however they are spelled', () => {
  fc.assert(
    fc.property(half, half, half, half, (a, b, low, other) => {
      const [long, short] = [[...a, ...low].map((g) => g.toString(16)).join(':'), spelled([...a, ...other])];
      expect(networkOf(long)).toBe(networkOf(short));
      const isSame = a.every((g, i) => g === b[i]);
      expect(networkOf(spelled([...b, ...low])) === networkOf(short)).toBe(isSame);
    }),
  );
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['', ''],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0'],
  ['::', '0:0:0:0'],
  ['2001:db8::1:2:3:4:5', '2001:db8:0:1'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
