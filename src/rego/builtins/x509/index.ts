/** `crypto.x509.*`, `crypto.parse_private_keys`: certificates, requests and keys in the shape of Go's structures. */
import { X509Certificate } from 'node:crypto';
import { bytesOf, fieldsOf, numberOf, type RegoValue } from '../../values.ts';
import { base64 as decodeBase64 } from '../encoding.ts';
import { pemBlock } from '../jwt/keys.ts';
import { fail, string } from '../operands.ts';
import type { Family } from '../types.ts';
import {
  bitsOf,
  type Der,
  integerOf,
  oidOf,
  parseDer,
  parseFirst,
  part,
  TAG,
  tagged,
  timeOf,
} from './der.ts';
import { base64, EXTENSION_FIELDS, type Fields, readExtensions } from './extensions.ts';
import { KEY_ALGORITHMS, nameOf, signatureAlgorithm } from './names.ts';
import { privateKeys, rsaJwk } from './private-keys.ts';
import { verifyChain } from './verify.ts';

const number = (n: bigint): RegoValue => numberOf(String(n));

/** rsa.PublicKey, ecdsa.PublicKey or ed25519.PublicKey */
const publicKeyFields = (info: Der): RegoValue => {
  const algorithm = KEY_ALGORITHMS[oidOf(part(part(info, 0), 0)).join('.')];
  const bits = bitsOf(part(info, 1));
  if (algorithm === 1) {
    const key = parseDer(bits);
    return fieldsOf({ N: number(integerOf(part(key, 0))), E: number(integerOf(part(key, 1))) });
  }
  if (algorithm === 3) {
    if (bits[0] !== 4) return fail('a compressed point');
    const half = (bits.length - 1) / 2;
    const coordinate = (from: number): RegoValue =>
      number(BigInt(`0x${Buffer.from(bits.subarray(from, from + half)).toString('hex')}`));
    return fieldsOf({ Curve: new Map(), X: coordinate(1), Y: coordinate(1 + half) });
  }
  return algorithm === 4 ? base64(bits) : null;
};

const keyAlgorithm = (info: Der): number => KEY_ALGORITHMS[oidOf(part(part(info, 0), 0)).join('.')] ?? 0;

const certificate = (der: Der): Fields => {
  const tbs = part(der, 0);
  const versioned = tagged(tbs, 0);
  const at = versioned === undefined ? 0 : 1;
  const validity = part(tbs, at + 3);
  const info = part(tbs, at + 5);
  const fields: Fields = {
    Raw: base64(der.raw),
    RawTBSCertificate: base64(tbs.raw),
    RawSubjectPublicKeyInfo: base64(info.raw),
    RawSubject: base64(part(tbs, at + 4).raw),
    RawIssuer: base64(part(tbs, at + 2).raw),
    Signature: base64(bitsOf(part(der, 2))),
    SignatureAlgorithm: signatureAlgorithm(part(der, 1)),
    PublicKeyAlgorithm: keyAlgorithm(info),
    PublicKey: publicKeyFields(info),
    Version: versioned === undefined ? 1 : Number(integerOf(part(versioned, 0))) + 1,
    SerialNumber: number(integerOf(part(tbs, at))),
    Issuer: nameOf(part(tbs, at + 2)),
    Subject: nameOf(part(tbs, at + 4)),
    NotBefore: timeOf(part(validity, 0)),
    NotAfter: timeOf(part(validity, 1)),
    ...EXTENSION_FIELDS,
  };
  const extensions = tagged(tbs, 3);
  if (extensions !== undefined) readExtensions(part(extensions, 0), fields);
  return fields;
};

const withoutUriStrings = ({ URIStrings: _, ...fields }: Fields): Fields => fields;

/** the certificates of PEM blocks, or of concatenated DER */
const certificatesOf = (text: string): Der[] => {
  let bytes: Uint8Array;
  if (text.startsWith('-----BEGIN')) bytes = pemBytes(text);
  else {
    const decoded = decodeBase64(text);
    const inner = Buffer.from(decoded).toString('latin1');
    bytes = inner.startsWith('-----BEGIN') ? pemBytes(inner) : decoded;
  }
  const out: Der[] = [];
  while (bytes.length > 0) {
    const [der, rest] = parseFirst(bytes);
    checked(der);
    out.push(der);
    bytes = rest;
  }
  return out;
};

/** Only a certificate that OpenSSL accepts, too, is valid. */
const checked = (der: Der): void => {
  try {
    new X509Certificate(der.raw);
  } catch {
    fail('not a certificate');
  }
};

const pemContent = (text: string): Uint8Array =>
  decodeBase64(
    text
      .replace(/-----[^-]+-----/g, '')
      .replace(/^[\w-]+: .*$/gm, '')
      .replace(/[ \t]/g, '')
      .trim(),
  );

const pemBytes = (text: string): Uint8Array => {
  const parts: Uint8Array[] = [];
  for (let block = pemBlock(text); block !== undefined; block = pemBlock(block.rest)) {
    if (block.type !== 'CERTIFICATE') return fail('a PEM block of another type');
    parts.push(pemContent(block.text));
  }
  return Buffer.concat(parts);
};

const request = (text: string): RegoValue => {
  const source = text.startsWith('-----BEGIN CERTIFICATE REQUEST-----') ? bytesOf(text) : decodeBase64(text);
  const block = pemBlock(Buffer.from(source).toString('latin1'));
  if (block !== undefined && block.type !== 'CERTIFICATE REQUEST') return fail('not a request');
  const der = parseDer(block === undefined ? source : pemContent(block.text));
  const info = part(der, 0);
  const key = part(info, 2);
  const attributes = tagged(info, 0);
  const fields: Fields = { ...EXTENSION_FIELDS };
  for (const attribute of attributes?.children ?? []) {
    if (oidOf(part(attribute, 0)).join('.') === '1.2.840.113549.1.9.14')
      readExtensions(part(part(attribute, 1), 0), fields);
  }
  return fieldsOf({
    Raw: base64(der.raw),
    RawTBSCertificateRequest: base64(info.raw),
    RawSubjectPublicKeyInfo: base64(key.raw),
    RawSubject: base64(part(info, 1).raw),
    Version: Number(integerOf(part(info, 0))),
    Signature: base64(bitsOf(part(der, 2))),
    SignatureAlgorithm: signatureAlgorithm(part(der, 1)),
    PublicKeyAlgorithm: keyAlgorithm(key),
    PublicKey: publicKeyFields(key),
    Subject: nameOf(part(info, 1)),
    Attributes: attributesOf(attributes),
    Extensions: fields['Extensions'] as RegoValue,
    ExtraExtensions: null,
    DNSNames: fields['DNSNames'] as RegoValue,
    EmailAddresses: fields['EmailAddresses'] as RegoValue,
    IPAddresses: fields['IPAddresses'] as RegoValue,
    URIs: fields['URIs'] as RegoValue,
  });
};

/** pkix.AttributeTypeAndValueSET; attributes whose values are not sets of typed values are left out */
const attributesOf = (attributes: Der | undefined): RegoValue => {
  const out: RegoValue[] = [];
  for (const attribute of attributes?.children ?? []) {
    const values = part(attribute, 1).children;
    if (
      !values.every((v) => v.tag === TAG.sequence && v.children.every((c) => c.children[0]?.tag === TAG.oid))
    )
      continue;
    out.push(
      fieldsOf({
        Type: oidOf(part(attribute, 0)),
        Value: values.map((v) =>
          v.children.map((c) =>
            fieldsOf({ Type: oidOf(part(c, 0)), Value: base64((c.children.at(-1) as Der).content) }),
          ),
        ),
      }),
    );
  }
  return out.length === 0 ? null : out;
};

/** PEM from PEM, base64 of PEM, or base64 of DER */
const asPem = (text: string, type: string): string => {
  if (text.startsWith('-----BEGIN ')) return text;
  const decoded = Buffer.from(decodeBase64(text));
  const inner = decoded.toString('latin1');
  return inner.startsWith('-----BEGIN ')
    ? inner
    : `-----BEGIN ${type}-----\n${decoded.toString('base64')}\n-----END ${type}-----\n`;
};

const keyPair = (certificatePem: string, keyPem: string): RegoValue => {
  const chain: Uint8Array[] = [];
  let text = asPem(certificatePem, 'CERTIFICATE');
  for (let block = pemBlock(text); block !== undefined; block = pemBlock(text)) {
    if (block.type === 'CERTIFICATE') chain.push(pemContent(block.text));
    text = block.rest;
  }
  const [leaf] = chain;
  if (leaf === undefined) return fail('no certificate');
  const [key] = privateKeys(asPem(keyPem, 'PRIVATE KEY'));
  if (key === undefined) return fail('no private key');
  let matches = false;
  try {
    matches = new X509Certificate(leaf).checkPrivateKey(key.key);
  } catch {
    return fail('the key does not belong to the certificate');
  }
  if (!matches) return fail('the key does not belong to the certificate');
  const fields = certificate(parseDer(leaf));
  return fieldsOf({
    Certificate: chain.map(base64),
    PrivateKey: key.fields,
    SupportedSignatureAlgorithms: null,
    OCSPStaple: null,
    SignedCertificateTimestamps: null,
    Leaf: fieldsOf(withoutUriStrings(fields)),
  });
};

export const x509: Family = {
  'crypto.x509.parse_certificates': ([v]) =>
    certificatesOf(string(v)).map((der) => fieldsOf(certificate(der))),
  'crypto.x509.parse_certificate_request': ([v]) => request(string(v)),
  'crypto.x509.parse_keypair': ([cert, key]) => keyPair(string(cert), string(key)),
  'crypto.x509.parse_rsa_private_key': ([v]) => rsaJwk(string(v)),
  'crypto.parse_private_keys': ([v]) => {
    const text = string(v);
    return text === '' ? null : privateKeys(text).map((key) => key.fields);
  },
  'crypto.x509.parse_and_verify_certificates': ([v], context) =>
    verified(string(v), undefined, context.nowNs, (fields) => fieldsOf(fields)),
  'crypto.x509.parse_and_verify_certificates_with_options': ([v, options], context) =>
    verified(string(v), options, context.nowNs, (fields) => fieldsOf(withoutUriStrings(fields))),
};

const verified = (
  text: string,
  options: RegoValue | undefined,
  nowNs: bigint,
  shape: (fields: Fields) => RegoValue,
): RegoValue => {
  const refused: RegoValue = [false, []];
  let chain: readonly Der[];
  try {
    chain = certificatesOf(text);
  } catch {
    return refused;
  }
  const parsed = chain.map((der) => ({ der, fields: certificate(der) }));
  const found = verifyChain(parsed, options, nowNs);
  return found === undefined ? refused : [true, found.map(({ fields }) => shape(fields))];
};
