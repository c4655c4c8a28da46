/** Certificate extensions (RFC 5280, 4.2) as the fields of Go's x509.Certificate. */
import { fieldsOf, numberOf, type RegoValue } from '../../values.ts';
import { spellAddress } from '../net.ts';
import { fail } from '../operands.ts';
import { parseUri, type Uri } from '../uri.ts';
import { bitsOf, type Der, integerOf, oidOf, parseDer, part, TAG, tagged } from './der.ts';
import { KEY_USAGES } from './names.ts';

export type Fields = { [field: string]: RegoValue };

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const latin = (d: Der): string => Buffer.from(d.content).toString('latin1');

const push = (fields: Fields, name: string, value: RegoValue): void => {
  fields[name] = [...((fields[name] as RegoValue[] | null) ?? []), value];
};

/** Go's url.URL */
const urlFields = (text: string, uri: Uri): RegoValue =>
  fieldsOf({
    Scheme: uri.scheme,
    Opaque: uri.opaque,
    User: uri.user ? new Map() : null,
    Host: uri.host,
    Path: uri.path,
    RawPath: uri.raw_path === uri.path ? '' : uri.raw_path,
    OmitHost: uri.host === '' && /^[^:/?#]+:\//.test(text) && !/^[^:/?#]+:\/\//.test(text),
    ForceQuery: /^[^#?]*\?(?:#|$)/.test(text),
    RawQuery: uri.raw_query,
    Fragment: uri.fragment,
    RawFragment: '',
  });

/** GeneralNames (RFC 5280, 4.2.1.6) */
const alternativeNames = (names: Der, fields: Fields): void => {
  for (const name of names.children) {
    if (!name.context) continue;
    switch (name.tag) {
      case 1:
        push(fields, 'EmailAddresses', latin(name));
        break;
      case 2:
        push(fields, 'DNSNames', latin(name));
        break;
      case 6: {
        const text = latin(name);
        push(fields, 'URIs', urlFields(text, parseUri(text)));
        push(fields, 'URIStrings', text);
        break;
      }
      case 7:
        push(fields, 'IPAddresses', spellAddress(name.content) ?? fail('invalid length of an address'));
        break;
      default:
    }
  }
};

const addressRange = (d: Der): RegoValue => {
  const half = d.content.length / 2;
  const ip = spellAddress(d.content.subarray(0, half)) ?? fail('invalid length of an address');
  return fieldsOf({ IP: ip, Mask: base64(d.content.subarray(half)) });
};

const CONSTRAINTS: { readonly [tag: number]: string } = {
  1: 'EmailAddresses',
  2: 'DNSDomains',
  6: 'URIDomains',
  7: 'IPRanges',
};

const nameConstraints = (d: Der, critical: boolean, fields: Fields): void => {
  fields['PermittedDNSDomainsCritical'] = critical;
  for (const [tag, prefix] of [
    [0, 'Permitted'],
    [1, 'Excluded'],
  ] as const) {
    for (const subtree of tagged(d, tag)?.children ?? []) {
      const base = part(subtree, 0);
      const kind = CONSTRAINTS[base.tag];
      if (kind !== undefined) push(fields, prefix + kind, base.tag === 7 ? addressRange(base) : latin(base));
    }
  }
};

/** KeyUsage as a bit mask; ASN.1 counts bits from the left */
const keyUsage = (d: Der): number => {
  const bits = bitsOf(d);
  let usage = 0;
  for (let i = 0; i < 9; i++) if ((bits[i >> 3] ?? 0) & (0x80 >> (i & 7))) usage |= 1 << i;
  return usage;
};

const basicConstraints = (d: Der, fields: Fields): void => {
  const ca = d.children.find((c) => c.tag === TAG.boolean);
  const length = d.children.find((c) => c.tag === TAG.integer);
  fields['BasicConstraintsValid'] = true;
  fields['IsCA'] = ca !== undefined && ca.content[0] !== 0;
  const most = length === undefined ? -1 : Number(integerOf(length));
  fields['MaxPathLen'] = most;
  fields['MaxPathLenZero'] = most === 0;
};

const policyConstraints = (d: Der, fields: Fields): void => {
  for (const [tag, name] of [
    [0, 'RequireExplicitPolicy'],
    [1, 'InhibitPolicyMapping'],
  ] as const) {
    const found = tagged(d, tag);
    if (found === undefined) continue;
    fields[name] = numberOf(String(integerOf(found)));
    fields[`${name}Zero`] = integerOf(found) === 0n;
  }
};

/** @returns false if Go does not parse this extension */
const readExtension = (oid: string, critical: boolean, d: Der, fields: Fields): boolean => {
  switch (oid) {
    case '2.5.29.15':
      fields['KeyUsage'] = keyUsage(d);
      return true;
    case '2.5.29.19':
      basicConstraints(d, fields);
      return true;
    case '2.5.29.17': {
      alternativeNames(d, fields);
      return ['EmailAddresses', 'DNSNames', 'URIs', 'IPAddresses'].some((name) => fields[name] !== null);
    }
    case '2.5.29.30':
      nameConstraints(d, critical, fields);
      return true;
    case '2.5.29.31':
      for (const point of d.children) {
        for (const name of tagged(tagged(point, 0), 0)?.children ?? []) {
          if (name.context && name.tag === 6) push(fields, 'CRLDistributionPoints', latin(name));
        }
      }
      return true;
    case '2.5.29.35':
      fields['AuthorityKeyId'] = base64(tagged(d, 0)?.content ?? new Uint8Array());
      return true;
    case '2.5.29.36':
      policyConstraints(d, fields);
      return true;
    case '2.5.29.37':
      for (const usage of d.children) {
        const id = oidOf(usage);
        const known = KEY_USAGES[id.join('.')];
        if (known === undefined) push(fields, 'UnknownExtKeyUsage', id);
        else push(fields, 'ExtKeyUsage', known);
      }
      return true;
    case '2.5.29.14':
      fields['SubjectKeyId'] = base64(d.content);
      return true;
    case '2.5.29.32':
      for (const policy of d.children) {
        const id = oidOf(part(policy, 0));
        push(fields, 'PolicyIdentifiers', id);
        push(fields, 'Policies', id.join('.'));
      }
      return true;
    case '2.5.29.33':
      for (const mapping of d.children) {
        push(
          fields,
          'PolicyMappings',
          fieldsOf({
            IssuerDomainPolicy: oidOf(part(mapping, 0)).join('.'),
            SubjectDomainPolicy: oidOf(part(mapping, 1)).join('.'),
          }),
        );
      }
      return true;
    case '2.5.29.54':
      fields['InhibitAnyPolicy'] = numberOf(String(integerOf(d)));
      fields['InhibitAnyPolicyZero'] = integerOf(d) === 0n;
      return true;
    case '1.3.6.1.5.5.7.1.1':
      for (const access of d.children) {
        const where = part(access, 1);
        if (!(where.context && where.tag === 6)) continue;
        const method = oidOf(part(access, 0)).join('.');
        if (method === '1.3.6.1.5.5.7.48.1') push(fields, 'OCSPServer', latin(where));
        if (method === '1.3.6.1.5.5.7.48.2') push(fields, 'IssuingCertificateURL', latin(where));
      }
      return true;
    default:
      return false;
  }
};

export const EXTENSION_FIELDS: Fields = {
  KeyUsage: 0,
  Extensions: null,
  ExtraExtensions: null,
  UnhandledCriticalExtensions: null,
  ExtKeyUsage: null,
  UnknownExtKeyUsage: null,
  BasicConstraintsValid: false,
  IsCA: false,
  MaxPathLen: 0,
  MaxPathLenZero: false,
  SubjectKeyId: null,
  AuthorityKeyId: null,
  OCSPServer: null,
  IssuingCertificateURL: null,
  DNSNames: null,
  EmailAddresses: null,
  IPAddresses: null,
  URIs: null,
  URIStrings: null,
  PermittedDNSDomainsCritical: false,
  PermittedDNSDomains: null,
  ExcludedDNSDomains: null,
  PermittedIPRanges: null,
  ExcludedIPRanges: null,
  PermittedEmailAddresses: null,
  ExcludedEmailAddresses: null,
  PermittedURIDomains: null,
  ExcludedURIDomains: null,
  CRLDistributionPoints: null,
  PolicyIdentifiers: null,
  Policies: null,
  InhibitAnyPolicy: 0,
  InhibitAnyPolicyZero: false,
  InhibitPolicyMapping: 0,
  InhibitPolicyMappingZero: false,
  RequireExplicitPolicy: 0,
  RequireExplicitPolicyZero: false,
  PolicyMappings: null,
};

/** parses a list of Extension into the fields; `Extensions` holds them unparsed */
export const readExtensions = (list: Der, fields: Fields): void => {
  for (const extension of list.children) {
    const id = oidOf(part(extension, 0));
    const flag = extension.children[1];
    const critical = flag?.tag === TAG.boolean && flag.content[0] !== 0;
    const value = extension.children.at(-1) ?? fail('an extension without a value');
    push(fields, 'Extensions', fieldsOf({ Id: id, Critical: critical, Value: base64(value.content) }));
    const oid = id.join('.');
    const read = oid.startsWith('2.5.29.') || oid === '1.3.6.1.5.5.7.1.1';
    const handled = read && readExtension(oid, critical, parseDer(value.content), fields);
    if (critical && !handled) push(fields, 'UnhandledCriticalExtensions', id);
  }
};
