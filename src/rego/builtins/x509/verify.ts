/** Verifies certificate chains as Go's x509.Certificate.Verify does (RFC 5280, 6). */
import { X509Certificate } from 'node:crypto';
import { isNumber, type RegoObject, type RegoValue } from '../../values.ts';
import { fail, int64, items, object, string } from '../operands.ts';
import { hostMatches, namesPermitted } from './constraints.ts';
import type { Der } from './der.ts';
import type { Fields } from './extensions.ts';

export interface Certificate {
  readonly der: Der;
  readonly fields: Fields;
}

interface Options {
  readonly host: string;
  /** milliseconds */
  readonly at: number;
  /** x509.ExtKeyUsage; `ANY` for all */
  readonly usages: readonly number[];
}

const ANY = 0;
const SERVER = 1;
const CERTIFICATE_SIGN = 32;
/** signatures over MD2, MD5 and SHA-1 */
const BROKEN = [0, 1, 2, 3, 7, 9];

const USAGES = [
  'Any',
  'ServerAuth',
  'ClientAuth',
  'CodeSigning',
  'EmailProtection',
  'IPSECEndSystem',
  'IPSECTunnel',
  'IPSECUser',
  'TimeStamping',
  'OCSPSigning',
  'MicrosoftServerGatedCrypto',
  'NetscapeServerGatedCrypto',
  'MicrosoftCommercialCodeSigning',
  'MicrosoftKernelCodeSigning',
];

const usageOf = (name: string): number => {
  const i = USAGES.indexOf(name.replace(/^"|"$/g, '').replace(/^KeyUsage/, ''));
  return i < 0 ? fail('unknown key usage') : i;
};

const optionsOf = (given: RegoObject, nowNs: bigint): Options => {
  let host = '';
  let at = Number(nowNs / 1_000_000n);
  let usages: number[] = [];
  for (const [key, value] of given) {
    switch (key) {
      case 'DNSName':
        host = string(value).replace(/^"+|(?<!")"+$/g, '');
        break;
      case 'CurrentTime':
        at = Number(int64(value) / 1_000_000n);
        break;
      case 'MaxConstraintComparisons':
        int64(value);
        break;
      case 'KeyUsages':
        usages = items(value)
          .filter((u) => typeof u === 'string')
          .map(usageOf);
        break;
      default:
        if (typeof key === 'string') return fail('unknown option');
    }
  }
  return { host, at, usages: usages.length === 0 ? [SERVER] : usages };
};

const text = (c: Certificate, field: string): string => string(c.fields[field]);

const isSame = (a: Certificate, b: Certificate): boolean => text(a, 'Raw') === text(b, 'Raw');

const inTime = (c: Certificate, at: number): boolean =>
  at >= Date.parse(text(c, 'NotBefore')) && at <= Date.parse(text(c, 'NotAfter'));

const mayIssue = (c: Certificate): boolean => {
  const { Version, BasicConstraintsValid, IsCA, KeyUsage } = c.fields;
  if (Version === 3 && BasicConstraintsValid !== true) return false;
  if (BasicConstraintsValid === true && IsCA !== true) return false;
  return KeyUsage === 0 || (Number(KeyUsage) & CERTIFICATE_SIGN) !== 0;
};

const isSignedBy = (child: Certificate, parent: Certificate): boolean => {
  if (text(child, 'RawIssuer') !== text(parent, 'RawSubject') || !mayIssue(parent)) return false;
  if (BROKEN.includes(Number(child.fields['SignatureAlgorithm']))) return false;
  try {
    return new X509Certificate(child.der.raw).verify(new X509Certificate(parent.der.raw).publicKey);
  } catch {
    return false;
  }
};

/** whether `c` may be the next certificate of this chain, leaf first; the leaf itself if the chain is empty */
const isValidAbove = (c: Certificate, chain: readonly Certificate[], at: number): boolean => {
  if (c.fields['UnhandledCriticalExtensions'] !== null || !inTime(c, at)) return false;
  if (chain.length === 0) return true;
  const { BasicConstraintsValid, MaxPathLen } = c.fields;
  if (BasicConstraintsValid === true && isNumber(MaxPathLen as RegoValue) && Number(MaxPathLen) >= 0) {
    if (chain.length - 1 > Number(MaxPathLen)) return false;
  }
  return chain.every((below) => namesPermitted(c.fields, below.fields));
};

/** whether every certificate that restricts its key usage allows one of these usages */
const allows = (chain: readonly Certificate[], usages: readonly number[]): boolean => {
  if (usages.includes(ANY)) return true;
  return usages.some((wanted) =>
    chain.every(({ fields }) => {
      const known = (fields['ExtKeyUsage'] as number[] | null) ?? [];
      if (known.length === 0 && fields['UnknownExtKeyUsage'] === null) return true;
      return known.includes(ANY) || known.includes(wanted);
    }),
  );
};

const MAX_CHAIN = 16;

const chains = function* (
  chain: readonly Certificate[],
  root: Certificate,
  intermediates: readonly Certificate[],
  at: number,
): Generator<readonly Certificate[]> {
  const last = chain.at(-1) as Certificate;
  if (chain.length > MAX_CHAIN) return;
  if (isSignedBy(last, root) && isValidAbove(root, chain, at) && !chain.some((c) => isSame(c, root)))
    yield [...chain, root];
  for (const next of intermediates) {
    if (chain.some((c) => isSame(c, next)) || !isSignedBy(last, next) || !isValidAbove(next, chain, at))
      continue;
    yield* chains([...chain, next], root, intermediates, at);
  }
};

/**
 * @param given root first, then intermediate certificates, the certificate to verify last
 * @returns the chain from the verified certificate to the root; undefined if there is none
 */
export const verifyChain = (
  given: readonly Certificate[],
  options: RegoValue | undefined,
  nowNs: bigint,
): readonly Certificate[] | undefined => {
  const { host, at, usages } = optionsOf(options === undefined ? new Map() : object(options), nowNs);
  const [root] = given;
  const leaf = given.at(-1);
  if (given.length < 2 || root === undefined || leaf === undefined) return undefined;
  if (!isValidAbove(leaf, [], at) || (host !== '' && !hostMatches(host, leaf.fields))) return undefined;
  const found = isSame(leaf, root) ? [[leaf]] : chains([leaf], root, given.slice(1, -1), at);
  for (const chain of found) if (allows(chain, usages)) return chain;
  return undefined;
};
