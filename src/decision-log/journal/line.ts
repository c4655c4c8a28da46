/**
 * A line of version 2:
 *
 *   {"a":…,"c":…,"d":…,"o":…,"p":…,"s":…,"v":2,"hash":…,"payload":{…},"salt":…}
 *
 * `hash` is the SHA-256 of everything before it and a closing brace. `c` is the commitment: the SHA-256 of `payload` and
 * `salt` as an object of their own. Both hashed texts are RFC 8785 canonical JSON. The chain covers the commitment and not
 * the payload, so payload and salt can be removed: the hash of what is left, `{…,"v":2,"hash":…}`, still verifies.
 *
 *   o  origin           s  seq of the record; of a shared document: of the record that follows it
 *   d  kind of a shared document; absent: the line is a record
 *   p  of a record: hash of the record before it; of a shared document: hash of the line before it
 *   a  of a record: hash of the last of the shared documents that were written for it, directly before it
 *
 * A reference to a shared document is its commitment, which the salt makes impossible to guess. Earlier versions wrote its first 16 digits
 * (`SHORT_REF`): two documents with the same ones can be made in minutes, so such a reference does not say which of them was meant.
 */
import { hash, randomFillSync } from 'node:crypto';
import { canonical } from './canonical.ts';
import { DOCUMENT_KINDS, type DocumentKind } from './compact.ts';
import type { LineBuffer } from './pages.ts';
import { serialize } from './serialize.ts';

export interface Header {
  readonly origin: string;
  readonly seq: number;
  readonly prev: string;
  /** null: no shared document was written for this record */
  readonly after: string | null;
  /** null: a record */
  readonly document: DocumentKind | null;
}

const before = ({ after }: Header): string => (after === null ? '{"c":"' : `{"a":"${after}","c":"`);
const behind = ({ document, origin, prev, seq }: Header): string =>
  `"${document === null ? '' : `,"d":"${document}"`},"o":"${origin}","p":"${prev}","s":${seq},"v":2`;

const HASH = ',"hash":"';
const PAYLOAD = '{"payload":';
const saltTail = (salt: string): string => `,"salt":"${salt}"}`;
const COMMA = 0x2c;

/** As `write` computes them, from strings. The depth of the payload is limited, so it is serialized alone. */
export const commitmentOf = (payload: unknown, salt: string): string =>
  hash('sha256', `${PAYLOAD}${canonical(payload)}${saltTail(salt)}`, 'hex');
export const hashOf = (header: Header, commitment: string): string =>
  hash('sha256', `${before(header)}${commitment}${behind(header)}}`, 'hex');

/** digits of a reference in lines of earlier versions */
export const SHORT_REF = 16;

export interface Written {
  readonly commitment: string;
  readonly hash: string;
  /** bytes of the payload */
  readonly size: number;
  /** of the line with its newline, relative to the start of the current line of the buffer */
  readonly end: number;
}

/**
 * Writes a line `start` bytes after the start of the buffer's current line.
 * @param fast false: any value; true: null for a value that only `canonical.ts` supports
 */
export function write(
  lines: LineBuffer,
  start: number,
  header: Header,
  payload: unknown,
  salt: string,
  fast: boolean,
): Written | null {
  const [left, right] = [before(header), behind(header)];
  const headEnd = start + left.length + 64 + right.length;
  // The body begins where the comma behind the hash will be.
  const body = headEnd + HASH.length + 64 + 1;
  lines.reserve(start, body + PAYLOAD.length - start);
  lines.page.write(PAYLOAD, lines.at + body, 'latin1');
  const from = body + PAYLOAD.length;
  const until = fast ? serialize(payload, lines, from) : writeCanonical(payload, lines, from);
  if (until === null) return null;
  const tail = saltTail(salt);
  lines.reserve(until, tail.length + 1);
  const { page, at } = lines;
  const end = at + until + tail.length;
  page.write(tail, at + until, 'latin1');
  const commitment = hash('sha256', page.subarray(at + body, end), 'hex');
  page[at + body] = COMMA;
  page.write(`${left}${commitment}${right}}`, at + start, 'latin1');
  const digest = hash('sha256', page.subarray(at + start, at + headEnd + 1), 'hex');
  page.write(`${HASH}${digest}"`, at + headEnd, 'latin1');
  page[end] = 0x0a;
  return { commitment, hash: digest, size: until - from, end: end + 1 - at };
}

function writeCanonical(payload: unknown, lines: LineBuffer, from: number): number {
  const json = canonical(payload);
  const bytes = Buffer.byteLength(json);
  lines.reserve(from, bytes);
  lines.page.write(json, lines.at + from, 'utf8');
  return from + bytes;
}

/** 16 random bytes as hex digits. One call for many: it costs as much as hashing a line. */
const SALT_BYTES = 16;
const pool = Buffer.allocUnsafeSlow(1024 * SALT_BYTES);
let used = pool.length;

export function newSalt(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const salt = pool.toString('hex', used, used + SALT_BYTES);
  used += SALT_BYTES;
  return salt;
}

/** A record of version 1 begins with `{"action":`. */
export const isVersion2 = (line: Buffer): boolean =>
  line[3] === 0x22 && (line[2] === 0x63 || line[2] === 0x61);

/** In a line of a shared document `d` follows the commitment. */
const SHARED = Buffer.from('","d":"');
const SHARED_AT = '{"c":"'.length + 64;
export const isShared = (line: Buffer): boolean =>
  line.subarray(SHARED_AT, SHARED_AT + SHARED.length).equals(SHARED);

const LINE = new RegExp(
  `^\\{(?:"a":"([0-9a-f]{64})",)?"c":"([0-9a-f]{64})"(?:,"d":"(${DOCUMENT_KINDS.join('|')})")?,"o":"([a-z0-9-]{1,63})","p":"([0-9a-f]{64})","s":([1-9][0-9]{0,15}),"v":2,"hash":"([0-9a-f]{64})"(?:(,)"payload":|\\}$)`,
);
const LONGEST_HEAD = 512;
const BEGIN = /^\{"[ac]":"[0-9a-f]{64}",/;
const SALTED = /^,"salt":"([0-9a-f]{32})"\}$/;
const SALTED_BYTES = ',"salt":"'.length + 2 * SALT_BYTES + '"}'.length;

export interface Parsed extends Header {
  readonly commitment: string;
  readonly hash: string;
  /** the parsed payload; null: payload and salt were removed */
  readonly payload: object | null;
  /** as it is in the line: its canonical JSON */
  readonly text: string;
  readonly salt: string;
}

export type LineFault = 'line_malformed' | 'hash_mismatch' | 'not_canonical';

export interface LineHead extends Header {
  readonly commitment: string;
  readonly hash: string;
  /** where the value of `payload` begins; null: payload and salt were removed */
  readonly payloadAt: number | null;
}

/** What stands before the payload, which is not read. null: not a line of version 2 */
export function parseHead(bytes: Buffer): LineHead | LineFault | null {
  const head = bytes.toString('latin1', 0, LONGEST_HEAD);
  const m = LINE.exec(head);
  if (m === null) return BEGIN.test(head) ? 'line_malformed' : null;
  const header: Header = {
    after: m[1] ?? null,
    document: (m[3] as DocumentKind | undefined) ?? null,
    origin: m[4]!,
    prev: m[5]!,
    seq: Number(m[6]),
  };
  const commitment = m[2]!;
  const digest = m[7]!;
  if (!Number.isSafeInteger(header.seq) || (header.after !== null && header.document !== null))
    return 'line_malformed';
  if (hashOf(header, commitment) !== digest) return 'hash_mismatch';
  return { ...header, commitment, hash: digest, payloadAt: m[8] === undefined ? null : m[0].length };
}

/** The line without payload and salt; a line that has none stays. @param bytes a valid line */
export function cut(bytes: Buffer): Buffer {
  const head = parseHead(bytes);
  if (head === null || typeof head === 'string' || head.payloadAt === null) return bytes;
  return Buffer.concat([bytes.subarray(0, head.payloadAt - PAYLOAD.length), Buffer.from('}')]);
}

/** null: not a line of version 2. `bytes` is modified and restored, so it must not be shared. */
export function parse(bytes: Buffer): Parsed | LineFault | null {
  const head = parseHead(bytes);
  if (head === null || typeof head === 'string') return head;
  const { payloadAt, ...header } = head;
  if (payloadAt === null) return { ...header, payload: null, text: '', salt: '' };
  const body = payloadAt - PAYLOAD.length;
  const salt = SALTED.exec(bytes.toString('latin1', Math.max(0, bytes.length - SALTED_BYTES)))?.[1];
  if (salt === undefined) return 'hash_mismatch';
  bytes[body] = 0x7b;
  const isCommitted = hash('sha256', bytes.subarray(body), 'hex') === head.commitment;
  bytes[body] = COMMA;
  if (!isCommitted) return 'hash_mismatch';
  const text = bytes.toString('utf8', payloadAt, bytes.length - SALTED_BYTES);
  try {
    const payload: unknown = JSON.parse(text);
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return 'line_malformed';
    if (canonical(payload) !== text) return 'not_canonical';
    return { ...header, payload, text, salt };
  } catch {
    return 'not_canonical';
  }
}
