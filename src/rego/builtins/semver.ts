/** `semver.*` (https://semver.org, 2.0.0, and as in OPA with an optional leading `v` and leading zeros). */
import { fail, string } from './operands.ts';
import type { Family } from './types.ts';

interface Version {
  readonly numbers: readonly bigint[];
  readonly prerelease: readonly string[];
}

const MAX_INT64 = (1n << 63n) - 1n;
const IDENTIFIERS = /^[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*$/;

const parse = (text: string): Version | undefined => {
  const m = /^v?(\d+)\.(\d+)\.(\d+)(?:-([^+]*))?(?:\+(.*))?$/s.exec(text);
  if (m === null) return undefined;
  const numbers = m.slice(1, 4).map((n) => BigInt(n as string));
  if (numbers.some((n) => n > MAX_INT64)) return undefined;
  for (const part of m.slice(4))
    if (part !== undefined && part !== '' && !IDENTIFIERS.test(part)) return undefined;
  return { numbers, prerelease: m[4] === undefined || m[4] === '' ? [] : m[4].split('.') };
};

const compareIdentifiers = (a: string, b: string): number => {
  const numeric = /^\d+$/;
  if (numeric.test(a) && numeric.test(b))
    return Number(BigInt(a) > BigInt(b)) - Number(BigInt(a) < BigInt(b));
  if (numeric.test(a)) return -1;
  if (numeric.test(b)) return 1;
  return a < b ? -1 : a > b ? 1 : 0;
};

const compare = (a: Version, b: Version): number => {
  for (let i = 0; i < 3; i++) {
    const x = a.numbers[i] as bigint;
    const y = b.numbers[i] as bigint;
    if (x !== y) return x < y ? -1 : 1;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return Math.sign(Number(a.prerelease.length === 0) - Number(b.prerelease.length === 0));
  }
  for (let i = 0; i < Math.min(a.prerelease.length, b.prerelease.length); i++) {
    const c = compareIdentifiers(a.prerelease[i] as string, b.prerelease[i] as string);
    if (c !== 0) return c;
  }
  return Math.sign(a.prerelease.length - b.prerelease.length);
};

const version = (text: string): Version => parse(text) ?? fail('not a semantic version');

export const semver: Family = {
  'semver.is_valid': ([v]) => typeof v === 'string' && parse(v) !== undefined,
  'semver.compare': ([a, b]) => compare(version(string(a)), version(string(b))),
};
