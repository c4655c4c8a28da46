/** Names of certificates, and the numbers that Go's crypto/x509 gives to algorithms and key usages. */
import { fieldsOf, type RegoValue } from '../../values.ts';
import { type Der, oidOf, part, textOf } from './der.ts';

const ATTRIBUTES: { readonly [oid: string]: string } = {
  '2.5.4.3': 'CommonName',
  '2.5.4.5': 'SerialNumber',
  '2.5.4.6': 'Country',
  '2.5.4.7': 'Locality',
  '2.5.4.8': 'Province',
  '2.5.4.9': 'StreetAddress',
  '2.5.4.10': 'Organization',
  '2.5.4.11': 'OrganizationalUnit',
  '2.5.4.17': 'PostalCode',
};

/** Go's pkix.Name */
export const nameOf = (d: Der): RegoValue => {
  const names: RegoValue[] = [];
  const out: { [field: string]: RegoValue } = {
    Country: null,
    Organization: null,
    OrganizationalUnit: null,
    Locality: null,
    Province: null,
    StreetAddress: null,
    PostalCode: null,
    SerialNumber: '',
    CommonName: '',
    Names: null,
    ExtraNames: null,
  };
  for (const rdn of d.children) {
    for (const attribute of rdn.children) {
      const type = oidOf(part(attribute, 0));
      const value = textOf(part(attribute, 1));
      names.push(fieldsOf({ Type: type, Value: value }));
      const field = ATTRIBUTES[type.join('.')];
      if (field === undefined) continue;
      if (typeof out[field] === 'string') out[field] = value;
      else out[field] = [...((out[field] as RegoValue[] | null) ?? []), value];
    }
  }
  if (names.length > 0) out['Names'] = names;
  return fieldsOf(out);
};

/** x509.SignatureAlgorithm by the algorithm's identifier; for RSA-PSS it also depends on the hash */
const SIGNATURES: { readonly [oid: string]: number } = {
  '1.2.840.113549.1.1.2': 1,
  '1.2.840.113549.1.1.4': 2,
  '1.2.840.113549.1.1.5': 3,
  '1.3.14.3.2.29': 3,
  '1.2.840.113549.1.1.11': 4,
  '1.2.840.113549.1.1.12': 5,
  '1.2.840.113549.1.1.13': 6,
  '1.2.840.10040.4.3': 7,
  '2.16.840.1.101.3.4.3.2': 8,
  '1.2.840.10045.4.1': 9,
  '1.2.840.10045.4.3.2': 10,
  '1.2.840.10045.4.3.3': 11,
  '1.2.840.10045.4.3.4': 12,
  '1.3.101.112': 16,
};

const PSS = '1.2.840.113549.1.1.10';
const PSS_HASHES: { readonly [oid: string]: number } = {
  '2.16.840.1.101.3.4.2.1': 13,
  '2.16.840.1.101.3.4.2.2': 14,
  '2.16.840.1.101.3.4.2.3': 15,
};

export const signatureAlgorithm = (identifier: Der): number => {
  const oid = oidOf(part(identifier, 0)).join('.');
  if (oid !== PSS) return SIGNATURES[oid] ?? 0;
  const hash = identifier.children[1]?.children[0]?.children[0]?.children[0];
  return hash === undefined ? 0 : (PSS_HASHES[oidOf(hash).join('.')] ?? 0);
};

/** x509.PublicKeyAlgorithm */
export const KEY_ALGORITHMS: { readonly [oid: string]: number } = {
  '1.2.840.113549.1.1.1': 1,
  '1.2.840.10040.4.1': 2,
  '1.2.840.10045.2.1': 3,
  '1.3.101.112': 4,
};

/** x509.ExtKeyUsage */
export const KEY_USAGES: { readonly [oid: string]: number } = {
  '2.5.29.37.0': 0,
  '1.3.6.1.5.5.7.3.1': 1,
  '1.3.6.1.5.5.7.3.2': 2,
  '1.3.6.1.5.5.7.3.3': 3,
  '1.3.6.1.5.5.7.3.4': 4,
  '1.3.6.1.5.5.7.3.5': 5,
  '1.3.6.1.5.5.7.3.6': 6,
  '1.3.6.1.5.5.7.3.7': 7,
  '1.3.6.1.5.5.7.3.8': 8,
  '1.3.6.1.5.5.7.3.9': 9,
  '1.3.6.1.4.1.311.10.3.3': 10,
  '2.16.840.1.113730.4.1': 11,
  '1.3.6.1.4.1.311.2.1.22': 12,
  '1.3.6.1.4.1.311.61.1.1': 13,
};
