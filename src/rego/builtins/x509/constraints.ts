/** Checks of names: host names (RFC 6125) and name constraints (RFC 5280, 4.2.1.10). */
import { isIP } from 'node:net';
import type { RegoObject, RegoValue } from '../../values.ts';
import { containsMasked, sameAddress } from '../net.ts';
import type { Fields } from './extensions.ts';

const list = (fields: Fields, name: string): readonly RegoValue[] =>
  (fields[name] as RegoValue[] | null) ?? [];

const texts = (fields: Fields, name: string): readonly string[] =>
  list(fields, name).filter((v) => typeof v === 'string');

const lower = (text: string): string => text.toLowerCase().replace(/\.$/, '');

/** `*` matches exactly one label, the leftmost */
const patternMatches = (pattern: string, host: string): boolean => {
  const want = lower(pattern).split('.');
  const have = lower(host).split('.');
  if (want.length !== have.length || have.some((label) => label === '')) return false;
  return want.every((label, i) => (i === 0 && label === '*' && want.length > 1) || label === have[i]);
};

export const hostMatches = (host: string, leaf: Fields): boolean => {
  const address = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  if (isIP(address) !== 0) return texts(leaf, 'IPAddresses').some((ip) => sameAddress(ip, address));
  return texts(leaf, 'DNSNames').some((pattern) => patternMatches(pattern, host));
};

/** a constraint with a leading dot requires at least one more label */
const domainMatches = (name: string, constraint: string): boolean => {
  const n = lower(name);
  const c = lower(constraint);
  if (c === '') return true;
  if (c.startsWith('.')) return n.endsWith(c) && n.length > c.length;
  return n === c || n.endsWith(`.${c}`);
};

const emailMatches = (address: string, constraint: string): boolean => {
  const at = address.lastIndexOf('@');
  if (constraint.includes('@')) {
    const other = constraint.lastIndexOf('@');
    return (
      address.slice(0, at) === constraint.slice(0, other) &&
      lower(address.slice(at)) === lower(constraint.slice(other))
    );
  }
  return constraint.startsWith('.')
    ? domainMatches(address.slice(at + 1), constraint)
    : lower(address.slice(at + 1)) === lower(constraint);
};

const uriMatches = (uri: string, constraint: string): boolean => {
  const host = /^[^:]+:\/\/(?:[^/@]*@)?([^/:?#]*)/.exec(uri)?.[1] ?? '';
  if (host === '' || isIP(host) !== 0) return false;
  return constraint.startsWith('.') ? domainMatches(host, constraint) : lower(host) === lower(constraint);
};

const KINDS: readonly {
  readonly names: string;
  readonly constraints: string;
  readonly matches: (name: string, constraint: RegoValue) => boolean;
}[] = [
  { names: 'DNSNames', constraints: 'DNSDomains', matches: (n, c) => domainMatches(n, String(c)) },
  { names: 'EmailAddresses', constraints: 'EmailAddresses', matches: (n, c) => emailMatches(n, String(c)) },
  { names: 'URIStrings', constraints: 'URIDomains', matches: (n, c) => uriMatches(n, String(c)) },
  {
    names: 'IPAddresses',
    constraints: 'IPRanges',
    matches: (n, c) => {
      const range = c as RegoObject;
      return containsMasked(String(range.get('IP')), Buffer.from(String(range.get('Mask')), 'base64'), n);
    },
  },
];

/** whether the name constraints of an authority permit every name of a certificate below it */
export const namesPermitted = (authority: Fields, below: Fields): boolean =>
  KINDS.every(({ names, constraints, matches }) => {
    const permitted = list(authority, `Permitted${constraints}`);
    const excluded = list(authority, `Excluded${constraints}`);
    return texts(below, names).every(
      (name) =>
        !excluded.some((c) => matches(name, c)) &&
        (permitted.length === 0 || permitted.some((c) => matches(name, c))),
    );
  });
