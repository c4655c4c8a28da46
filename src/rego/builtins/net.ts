/** `net.cidr_*`, as Go's net package reads addresses. Addresses are numbers of 128 bits; IPv4 is mapped to `::ffff:0:0/96`. */
import { isIPv4, isIPv6 } from 'node:net';
import type { RegoValue } from '../values.ts';
import { fail, items, string, tooLarge } from './operands.ts';
import type { EvaluationContext, Family } from './types.ts';

const MAPPED = 0xffffn << 32n;
const BITS = 128;
/** a result of more addresses would fill the memory */
const MAX_ADDRESSES = 1n << 18n;

interface Network {
  /** lowest address; for an address given without a prefix, the address itself */
  readonly address: bigint;
  /** 0 … 128 */
  readonly prefix: number;
}

const groups = (part: string): bigint[] => (part === '' ? [] : part.split(':').map((g) => BigInt(`0x${g}`)));

const v4 = (text: string): bigint => text.split('.').reduce((n, octet) => (n << 8n) | BigInt(octet), 0n);

const v6 = (text: string): bigint => {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const plain =
    dotted === null
      ? text
      : `${dotted[1]}${(v4(dotted[2] as string) >> 16n).toString(16)}:${(v4(dotted[2] as string) & 0xffffn).toString(16)}`;
  const [head = '', tail] = plain.split('::');
  const high = groups(head);
  const low = tail === undefined ? [] : groups(tail);
  const middle: bigint[] =
    tail === undefined ? [] : Array.from({ length: 8 - high.length - low.length }, () => 0n);
  return [...high, ...middle, ...low].reduce((n, g) => (n << 16n) | g, 0n);
};

const addressOf = (text: string): bigint | undefined => {
  if (isIPv4(text)) return MAPPED | v4(text);
  if (isIPv6(text) && !text.includes('%')) return v6(text);
  return undefined;
};

const hostMask = (prefix: number): bigint => (1n << BigInt(BITS - prefix)) - 1n;

const parseCidr = (text: string): Network | undefined => {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = addressOf(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,6}$/.test(length)) return undefined;
  const width = text.slice(0, slash).includes(':') ? BITS : 32;
  if (Number(length) > width) return undefined;
  const prefix = Number(length) + BITS - width;
  return { address: address & ~hostMask(prefix), prefix };
};

const cidr = (v: RegoValue | undefined): Network => parseCidr(string(v)) ?? fail('not a CIDR');

const last = (n: Network): bigint => n.address | hostMask(n.prefix);

const isMapped = (address: bigint): boolean => address >> 32n === 0xffffn;

/** a network of IPv4 addresses holds no IPv6 address, and the other way round */
const contains = (n: Network, address: bigint): boolean =>
  (isMapped(n.address) && n.prefix >= 96) === isMapped(address) &&
  (address & ~hostMask(n.prefix)) === n.address;

const networkText = (v: RegoValue | undefined): Network => {
  const text = string(v);
  const address = addressOf(text);
  if (address !== undefined) return { address, prefix: BITS };
  return parseCidr(text) ?? fail('neither an address nor a CIDR');
};

const containsAll = (n: Network, inner: Network): boolean =>
  contains(n, inner.address) && (inner.prefix === BITS || contains(n, last(inner)));

/** RFC 5952 */
const spell = (address: bigint): string => {
  if (isMapped(address)) {
    return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 0xffn)).join('.');
  }
  const parts = Array.from({ length: 8 }, (_, i) =>
    ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && parts[end] === '0') end += 1;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
  }
  if (start < 0) return parts.join(':');
  return `${parts.slice(0, start).join(':')}::${parts.slice(start + length).join(':')}`;
};

/** 4 or 16 bytes → address as text */
export const spellAddress = (bytes: Uint8Array): string | undefined => {
  const n = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
  return bytes.length === 4 ? spell(MAPPED | n) : bytes.length === 16 ? spell(n) : undefined;
};

export const sameAddress = (a: string, b: string): boolean => addressOf(a) === addressOf(b);

/** whether the address lies in the network whose mask is given as bytes */
export const containsMasked = (network: string, mask: Uint8Array, address: string): boolean => {
  const n = addressOf(network);
  const a = addressOf(address);
  if (n === undefined || a === undefined || isMapped(n) !== isMapped(a)) return false;
  const bits = BigInt(`0x${Buffer.from(mask).toString('hex') || '0'}`);
  return (n & bits) === (a & bits);
};

const spellNetwork = (n: Network): string =>
  `${spell(n.address)}/${isMapped(n.address) && n.prefix >= 96 ? n.prefix - 96 : n.prefix}`;

/** [CIDR or address, key in the result] of each entry of an operand of `net.cidr_contains_matches` */
const entries = (v: RegoValue | undefined): readonly (readonly [RegoValue, RegoValue])[] => {
  const cidrOf = (entry: RegoValue): RegoValue => {
    if (typeof entry === 'string') return entry;
    return Array.isArray(entry) && entry.length > 0
      ? (entry[0] as RegoValue)
      : fail('an entry is not a CIDR');
  };
  if (typeof v === 'string') return [[v, v]];
  if (Array.isArray(v)) return v.map((entry, i) => [cidrOf(entry), i] as const);
  if (v instanceof Set) return [...v].map((entry) => [cidrOf(entry), entry] as const);
  if (v instanceof Map) return [...v].map(([key, entry]) => [cidrOf(entry), key] as const);
  return [];
};

const matches = (
  networks: RegoValue | undefined,
  addresses: RegoValue | undefined,
  context: EvaluationContext,
): Set<RegoValue> => {
  const out = new Set<RegoValue>();
  const outer = entries(networks);
  // If one operand is empty, OPA does not parse the other.
  if (outer.length === 0) return out;
  const all = entries(addresses);
  if (all.length === 0) return out;
  const inner = all.map(([address, index]) => [networkText(address), index] as const);
  for (const [network, name] of outer) {
    const n = cidr(network);
    context.check();
    for (const [address, index] of inner) if (containsAll(n, address)) out.add([name, index]);
  }
  return out;
};

const expand = (n: Network): Set<RegoValue> => {
  const count = hostMask(n.prefix) + 1n;
  if (count > MAX_ADDRESSES) {
    return tooLarge(
      `net.cidr_expand was asked for ${count} addresses; at most ${MAX_ADDRESSES} are expanded. Compare with net.cidr_contains instead`,
    );
  }
  const out = new Set<RegoValue>();
  for (let i = 0n; i < count; i++) out.add(spell(n.address + i));
  return out;
};

/** an address without a prefix gets that of its class (RFC 791), as Go's DefaultMask */
const networkOrAddress = (text: string): Network => {
  const address = addressOf(text);
  if (address === undefined) return parseCidr(text) ?? fail('not a CIDR');
  if (!isMapped(address)) return fail('an IPv6 address needs a prefix length');
  const first = Number((address >> 24n) & 0xffn);
  return { address, prefix: 96 + (first < 0x80 ? 8 : first < 0xc0 ? 16 : 24) };
};

interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly network?: Network;
}

/** the fewest networks that cover exactly the range */
const cover = ({ first, last: end }: Range): Network[] => {
  const out: Network[] = [];
  for (let at = first; at <= end; ) {
    let prefix = BITS;
    while (prefix > 0 && (at & hostMask(prefix - 1)) === 0n && (at | hostMask(prefix - 1)) <= end)
      prefix -= 1;
    out.push({ address: at, prefix });
    at = (at | hostMask(prefix)) + 1n;
  }
  return out;
};

const lowest = (a: bigint, b: bigint): bigint => (order(a, b) < 0 ? a : b);

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

const merge = (networks: readonly Network[]): Network[] => {
  const ranges: Range[] = networks
    .map((n) => ({ first: n.address & ~hostMask(n.prefix), last: last(n), network: n }))
    .sort((a, b) => order(a.last, b.last) || order(a.first, b.first));
  for (let i = ranges.length - 1; i > 0; i--) {
    const upper = ranges[i] as Range;
    const lower = ranges[i - 1] as Range;
    if (upper.first - 1n > lower.last) continue;
    ranges[i - 1] = { first: lowest(lower.first, upper.first), last: upper.last };
    ranges.splice(i, 1);
  }
  return ranges.flatMap((r) => (r.network === undefined ? cover(r) : [r.network]));
};

export const net: Family = {
  'net.cidr_is_valid': ([v]) => typeof v === 'string' && parseCidr(v) !== undefined,
  'net.cidr_contains': ([network, inner]) => containsAll(cidr(network), networkText(inner)),
  'net.cidr_intersects': ([a, b]) => {
    const [one, two] = [cidr(a), cidr(b)];
    return contains(one, two.address) || contains(two, one.address);
  },
  'net.cidr_contains_matches': ([networks, addresses], context) => matches(networks, addresses, context),
  'net.cidr_expand': ([v]) => expand(cidr(v)),
  'net.cidr_merge': ([v]) =>
    new Set<RegoValue>(merge(items(v).map((n) => networkOrAddress(string(n)))).map(spellNetwork)),
};
