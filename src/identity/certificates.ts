/** Client certificates → Subject. The TLS layer has verified the chain; this file only finds the matching entry. */
import type { IdentityConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import type { PeerCertificate } from '../model/exchange.ts';
import type { Subject } from '../model/input.ts';
import type { Clock } from '../observability/clock.ts';
import { configuredAgent } from './agents.ts';
import { configuredSubject, NO_CLAIMS } from './claims.ts';
import type { Authenticated } from './types.ts';

type Entry = IdentityConfig['certificates'][number];

/** RFC 8176: proof of possession of a software-secured key. */
const AMR = ['swk'];

/** as in a list of revocations: the SHA-256 of the certificate in DER */
export const fingerprintOf = ({ fingerprint256 }: PeerCertificate): string =>
  fingerprint256.replaceAll(':', '').toLowerCase();

/** @returns null if no entry matches */
export function createCertificates(
  entries: readonly Entry[],
  clock: Clock,
  realm: string | undefined,
): (certificate: PeerCertificate) => Authenticated | null {
  const known = entries.map((entry): [Entry, Subject] => [
    entry,
    configuredSubject(entry.subject, AMR, realm),
  ]);
  return (certificate) => {
    const found = known.find(([entry]) => fits(entry, certificate));
    if (!found) return null;
    const expires = Date.parse(certificate.valid_to);
    if (!(expires > clock.now().getTime()))
      throw new SluiceError('token_expired', 'The client certificate has expired.');
    const [{ subject }, who] = found;
    return {
      subject: who,
      ...configuredAgent(subject, 'certificate', realm),
      claims: NO_CLAIMS,
      digests: [fingerprintOf(certificate)],
      issuer: 'certificate',
      expires,
      purpose: subject.purpose ?? null,
    };
  };
}

function fits({ fingerprint, dns, uri, subject_name }: Entry, certificate: PeerCertificate): boolean {
  if (fingerprint !== undefined)
    return fingerprint.toUpperCase() === certificate.fingerprint256.toUpperCase();
  const names = alternativeNames(certificate.subjectaltname ?? '');
  if (dns !== undefined)
    return names.some(([kind, name]) => kind === 'DNS' && name.toLowerCase() === dns.toLowerCase());
  if (uri !== undefined) return names.some(([kind, name]) => kind === 'URI' && name === uri);
  const wanted = Object.entries(subject_name ?? {});
  return wanted.length > 0 && wanted.every(([attribute, value]) => certificate.subject[attribute] === value);
}

/** Node writes `DNS:a, URI:b`, and quotes an ambiguous name as a JSON string (CVE-2021-44532). */
function alternativeNames(text: string): (readonly [kind: string, name: string])[] {
  return [...text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/g)].map(
    ([, kind = '', name = '']) => [kind, name.startsWith('"') ? (JSON.parse(name) as string) : name],
  );
}
