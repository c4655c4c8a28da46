/** `uuid.rfc4122` (version 4, derived from the evaluation's seed) and `uuid.parse`, as github.com/google/uuid reads it. */
import { createHmac } from 'node:crypto';
import { fieldsOf, numberOf, type RegoValue } from '../values.ts';
import { fail, string } from './operands.ts';
import type { Family } from './types.ts';

const spell = (bytes: Uint8Array): string => {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

const random = (seed: string, name: string): string => {
  const bytes = createHmac('sha256', seed).update(`uuid.rfc4122\0${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return spell(bytes);
};

const DASHED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const bytesOfUuid = (text: string): Buffer => {
  const plain =
    text.length === 45 && text.slice(0, 9).toLowerCase() === 'urn:uuid:'
      ? text.slice(9)
      : text.length === 38
        ? text.slice(1, -1)
        : text;
  if (DASHED.test(plain)) return Buffer.from(plain.replaceAll('-', ''), 'hex');
  return /^[0-9a-f]{32}$/i.test(text) ? Buffer.from(text, 'hex') : fail('not a UUID');
};

const variantOf = (byte: number): string => {
  if ((byte & 0xc0) === 0x80) return 'RFC4122';
  if ((byte & 0xe0) === 0xc0) return 'Microsoft';
  return (byte & 0xe0) === 0xe0 ? 'Future' : 'Reserved';
};

/** 100 ns intervals between 1582-10-15 and 1970-01-01 */
const GREGORIAN = 122_192_928_000_000_000n;

const DOMAINS = ['Person', 'Group', 'Org'];

const parse = (text: string): RegoValue => {
  const bytes = bytesOfUuid(text);
  const version = (bytes[6] as number) >> 4;
  const out: { [field: string]: RegoValue } = { version, variant: variantOf(bytes[8] as number) };
  if (version === 1 || version === 2) {
    const low = BigInt(bytes.readUInt32BE(0));
    const time =
      low | (BigInt(bytes.readUInt16BE(4)) << 32n) | (BigInt(bytes.readUInt16BE(6) & 0xfff) << 48n);
    out['nodeid'] = [...bytes.subarray(10)].map((b) => b.toString(16).padStart(2, '0')).join('-');
    out['macvariables'] = macVariables(bytes[10] as number);
    out['time'] = numberOf(String(BigInt.asIntN(64, (time - GREGORIAN) * 100n)));
    out['clocksequence'] = bytes.readUInt16BE(8) & 0x3fff;
    if (version === 2) {
      out['id'] = bytes.readUInt32BE(0);
      const domain = bytes[9] as number;
      out['domain'] = DOMAINS[domain] ?? `Domain${domain}`;
    }
  }
  return fieldsOf(out);
};

const macVariables = (byte: number): string =>
  [`${byte & 2 ? 'local' : 'global'}`, `${byte & 1 ? 'multicast' : 'unicast'}`].join(':');

export const uuid: Family = {
  'uuid.rfc4122': ([name], context) => random(context.seed, string(name)),
  'uuid.parse': ([v]) => parse(string(v)),
};
