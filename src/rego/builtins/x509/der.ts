/** DER (ITU-T X.690) as a tree, parsed by asn1js. */
import { createRequire } from 'node:module';
import type { AsnType } from 'asn1js';
import { fail } from '../operands.ts';

const require = createRequire(import.meta.url);
/** Loaded at the first call of `crypto.x509.*`, since few policies call them. */
const library = (): typeof import('asn1js') => require('asn1js') as typeof import('asn1js');

export interface Der {
  /** the tag is context-specific */
  readonly context: boolean;
  readonly tag: number;
  /** encoded, with tag and length */
  readonly raw: Uint8Array;
  /** encoded, without tag and length */
  readonly content: Uint8Array;
  readonly children: readonly Der[];
}

export const TAG = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  oid: 6,
  utf8String: 12,
  sequence: 16,
  set: 17,
  utcTime: 23,
  generalizedTime: 24,
  bmpString: 30,
} as const;

const CONTEXT = 3;

const node = (block: AsnType): Der => {
  const raw = block.valueBeforeDecodeView;
  const { value } = block.valueBlock as { value?: unknown };
  const constructed = block.idBlock.isConstructed;
  return {
    context: block.idBlock.tagClass === CONTEXT,
    tag: block.idBlock.tagNumber,
    raw,
    content: raw.subarray(block.idBlock.blockLength + block.lenBlock.blockLength),
    children: constructed && Array.isArray(value) ? value.map((v) => node(v as AsnType)) : [],
  };
};

/** parses exactly one element */
export const parseDer = (bytes: Uint8Array): Der => {
  const [first, rest] = parseFirst(bytes);
  return rest.length === 0 ? first : fail('data after the structure');
};

export const parseFirst = (bytes: Uint8Array): readonly [Der, Uint8Array] => {
  // asn1js reads the whole underlying buffer.
  const { offset, result } = library().fromBER(Uint8Array.from(bytes).buffer);
  if (offset <= 0) return fail('not DER');
  return [node(result), bytes.subarray(offset)];
};

export const part = (d: Der | undefined, i: number): Der =>
  d?.children[i] ?? fail('a part of the structure is missing');

/** the child with this context-specific tag */
export const tagged = (d: Der | undefined, tag: number): Der | undefined =>
  d?.children.find((c) => c.context && c.tag === tag);

export const integerOf = (d: Der): bigint => {
  if (d.content.length === 0) return fail('an integer without digits');
  const n = BigInt(`0x${Buffer.from(d.content).toString('hex')}`);
  return BigInt.asIntN(d.content.length * 8, n);
};

export const oidOf = (d: Der): number[] => {
  const out: number[] = [];
  let n = 0;
  for (const byte of d.content) {
    n = n * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (out.length === 0) {
      const first = Math.min(Math.floor(n / 40), 2);
      out.push(first, n - first * 40);
    } else out.push(n);
    n = 0;
  }
  return out.length > 0 ? out : fail('an empty object identifier');
};

export const bitsOf = (d: Der): Uint8Array => d.content.subarray(1);

/** the text of any of ASN.1's string types */
export const textOf = (d: Der): string => {
  if (d.tag === TAG.bmpString) return Buffer.from(d.content).swap16().toString('utf16le');
  return Buffer.from(d.content).toString('utf8');
};

/** RFC 5280, 4.1.2.5 → RFC 3339 */
export const timeOf = (d: Der): string => {
  const text = Buffer.from(d.content).toString('latin1');
  const m = (
    d.tag === TAG.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/
      : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
  ).exec(text);
  if (m === null) return fail('not a time');
  const [, y = '', month, day, h, min, s = '00'] = m;
  const year = y.length === 4 ? y : `${Number(y) >= 50 ? '19' : '20'}${y}`;
  return `${year}-${month}-${day}T${h}:${min}:${s}Z`;
};
