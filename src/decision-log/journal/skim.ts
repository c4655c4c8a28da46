/**
 * Checks a record of version 2 that is as usual, without making objects of it: `verify` reads millions. Whatever is unusual, and every
 * fault, is left to `SegmentReader.read`, which says what is wrong. So a line is accepted here only if `read` accepts it as a record
 * that is linked as expected; a property test compares the two. Longer than most files: one scanner reads the line from end to end.
 */
import { hash } from 'node:crypto';
import type { Expected } from './chain.ts';
import { DOCUMENT_KINDS, type DocumentKind, type Members, type Payload } from './compact.ts';
import { isSoundAccess, areSoundFields } from './expand.ts';

/** Finds a document of the segment that was not removed; undefined: `read` says why it is not there. */
export type FindDocument = (
  kind: DocumentKind,
  ref: string,
) => { readonly document: Members | null } | undefined;

export interface Skimmed {
  readonly hash: string;
  /** of the record */
  readonly kind: unknown;
  readonly timestamp: string;
}

export interface SkimmedDocument {
  readonly hash: string;
  readonly kind: DocumentKind;
  /** its commitment */
  readonly ref: string;
  readonly json: string;
  readonly salt: string;
}

const [QUOTE, COMMA, COLON, OPEN, CLOSE, BEGIN, END, BACKSLASH, MINUS, ZERO] = [
  0x22, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d, 0x5c, 0x2d, 0x30,
];
const DIGITS = 64;
const HASH = ',"hash":"';
const KIND_AT = '{"c":"'.length + DIGITS + '","d":"'.length;
/** digits of an integer that every reader takes for the same number */
const MAX_INTEGER_DIGITS = 15;
const MAX_DEPTH = 16;
const PAYLOAD = '","payload":{';
const SALT = ',"salt":"';
const SALT_BYTES = Buffer.from(SALT);
const SALT_DIGITS = 32;
const TAIL_BYTES = SALT.length + SALT_DIGITS + '"}'.length;

/** in canonical order, so that names in ascending order are found in one walk */
const NAMES = (
  [
    'access',
    'answers',
    'answers_omitted',
    'bytes',
    'client_ip',
    'consents',
    'data_subjects',
    'decision_id',
    'fields',
    'grant_id',
    'grants',
    'input',
    'justification',
    'part',
    'quota',
    'resource_id',
    'subject',
    'timestamp',
    'timings_us',
    'trace_id',
    'withheld_reasons',
  ] satisfies readonly (keyof Payload)[]
).map((name) => Buffer.from(`${name}":`));
const nameAt = (name: keyof Payload): number => NAMES.findIndex((n) => n.equals(Buffer.from(`${name}":`)));
const ACCESS = nameAt('access');
const ANSWERS = nameAt('answers');
const DATA_SUBJECTS = nameAt('data_subjects');
const DECISION_ID = nameAt('decision_id');
const FIELDS = nameAt('fields');
const RESOURCE_ID = nameAt('resource_id');
const SUBJECT = nameAt('subject');
const TIMESTAMP = nameAt('timestamp');
const TIMINGS = nameAt('timings_us');

/** @param bytes modified and restored, so it must not be shared */
export function skim(bytes: Buffer, origin: string, next: Expected, find: FindDocument): Skimmed | null {
  const line = checked(bytes, next.after, '', origin, next.prev, next.seq);
  return line === null ? null : new Payloads(bytes, line.payloadAt, line.end, find).record(line.hash);
}

/** The same for a shared document. */
export function skimDocument(bytes: Buffer, origin: string, next: Expected): SkimmedDocument | null {
  const kind = DOCUMENT_KINDS.find((name) => text(bytes, KIND_AT, KIND_AT + name.length + 1) === `${name}"`);
  if (kind === undefined) return null;
  const line = checked(bytes, null, `,"d":"${kind}"`, origin, next.after ?? next.prev, next.seq);
  if (line === null || !new Payloads(bytes, line.payloadAt, line.end, () => undefined).document())
    return null;
  const json = bytes.toString('utf8', line.payloadAt, line.end);
  const salt = text(bytes, line.end + SALT.length, line.end + SALT.length + SALT_DIGITS);
  return { hash: line.hash, kind, ref: line.commitment, json, salt };
}

/** False for a line that is not a shared document. */
export const mayBeDocument = (bytes: Buffer): boolean => bytes[2] === 0x63 && bytes[KIND_AT - 4] === 0x64;

/** Checks a line around its payload, down to both hashes. */
function checked(
  bytes: Buffer,
  after: string | null,
  kind: string,
  origin: string,
  prev: string | null,
  seq: number,
) {
  if (prev === null) return null;
  const left = after === null ? '{"c":"' : `{"a":"${after}","c":"`;
  const right = `"${kind},"o":"${origin}","p":"${prev}","s":${seq},"v":2`;
  const commitmentAt = left.length;
  const rightAt = commitmentAt + DIGITS;
  const headEnd = rightAt + right.length;
  const hashAt = headEnd + HASH.length;
  const bodyAt = hashAt + DIGITS + 1;
  const payloadAt = hashAt + DIGITS + PAYLOAD.length - 1;
  const end = bytes.length - TAIL_BYTES;
  if (end <= payloadAt) return null;
  if (!isSalt(bytes, end)) return null;
  // The text that must stand here is made and compared at once: each piece cut out of the line costs more than its bytes.
  const commitment = commitmentIn(bytes, bodyAt);
  const head = `${left}${commitment}${right}`;
  const digest = hash('sha256', `${head}}`, 'hex');
  if (text(bytes, 0, payloadAt + 1) !== `${head}${HASH}${digest}${PAYLOAD}`) return null;
  return { hash: digest, commitment, payloadAt, end };
}

const text = (bytes: Buffer, from: number, to: number): string => bytes.toString('latin1', from, to);

/** SHA-256 of payload and salt: a brace stands in the place of the comma before them. */
function commitmentIn(bytes: Buffer, at: number): string {
  const before = bytes[at]!;
  bytes[at] = OPEN;
  const digest = hash('sha256', bytes.subarray(at), 'hex');
  bytes[at] = before;
  return digest;
}

function isSalt(bytes: Buffer, at: number): boolean {
  const from = at + SALT.length;
  const to = from + SALT_DIGITS;
  for (let i = 0; i < SALT.length; i++) if (bytes[at + i] !== SALT_BYTES[i]) return false;
  for (let i = from; i < to; i++) if (!isHex(bytes[i]!)) return false;
  return bytes[to] === QUOTE && bytes[to + 1] === CLOSE;
}

const isHex = (byte: number): boolean => (byte >= ZERO && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);

/** Reads a payload; each method returns false, or -1, for what is not canonical JSON (RFC 8785), or not usual. */
class Payloads {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #find: FindDocument;
  #at: number;

  constructor(bytes: Buffer, at: number, end: number, find: FindDocument) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#find = find;
  }

  document(): boolean {
    return this.#object(1) && this.#at === this.#end;
  }

  record(digest: string): Skimmed | null {
    const bytes = this.#bytes;
    let access: Members | undefined;
    let timestamp = '';
    let ids = -1;
    let seen = 0;
    let name = -1;
    for (this.#at++; ; this.#at++) {
      name = this.#name(name + 1);
      if (name === -1) return null;
      const from = this.#at;
      seen |= 1 << name;
      switch (name) {
        case ACCESS:
          access = this.#document('access')?.document ?? undefined;
          if (access === undefined || !isSoundAccess(access)) return null;
          break;
        case SUBJECT:
          if (this.#document('subject') === undefined) return null;
          break;
        case ANSWERS:
          if (!this.#answers()) return null;
          break;
        case FIELDS:
          if (!this.#fields()) return null;
          break;
        case DATA_SUBJECTS:
          ids = this.#array(1);
          if (ids === -1) return null;
          break;
        case TIMINGS:
          if (this.#array(1) === -1) return null;
          break;
        case RESOURCE_ID:
          if (!this.#value(1) || (bytes[from] !== QUOTE && !this.#isIndex(from, ids))) return null;
          break;
        case DECISION_ID:
          if (!this.#string()) return null;
          break;
        case TIMESTAMP:
          if (bytes[from] !== QUOTE || !this.#plain()) return null;
          timestamp = text(bytes, from + 1, this.#at - 1);
          break;
        default:
          if (!this.#value(1)) return null;
      }
      if (bytes[this.#at] !== COMMA) break;
    }
    if (bytes[this.#at] !== CLOSE || this.#at + 1 !== this.#end || access === undefined) return null;
    const isWhole = (seen & NEEDED) === NEEDED && ((seen & (1 << FIELDS)) === 0 || ids !== -1);
    // `expand` takes the answers from a disclosure only, so answers without fields are not looked for.
    return isWhole && timestamp !== '' ? { hash: digest, kind: access['kind'], timestamp } : null;
  }

  /** The index of the name that stands here, which must be `least` or later; stands behind its colon then. */
  #name(least: number): number {
    if (this.#bytes[this.#at] !== QUOTE) return -1;
    const at = this.#at + 1;
    for (let i = least; i < NAMES.length; i++) {
      const name = NAMES[i]!;
      let k = 0;
      while (k < name.length && this.#bytes[at + k] === name[k]) k++;
      if (k === name.length) {
        this.#at = at + k;
        return i;
      }
    }
    return -1;
  }

  /** True if a number that ends here is an index of a list. */
  #isIndex(from: number, length: number): boolean {
    const index = Number(text(this.#bytes, from, this.#at));
    return index >= 0 && index < length;
  }

  #document(kind: DocumentKind): { readonly document: Members | null } | undefined {
    const from = this.#at + 1;
    // Shorter references do not say which document was meant.
    if (!this.#string() || this.#at - 1 - from !== DIGITS) return undefined;
    return this.#find(kind, text(this.#bytes, from, from + DIGITS));
  }

  /** `[[ref, count], …]` */
  #answers(): boolean {
    if (this.#bytes[this.#at] !== BEGIN) return false;
    do {
      if (this.#bytes[++this.#at] !== BEGIN) return false;
      this.#at++;
      if (this.#document('answer') === undefined || this.#bytes[this.#at++] !== COMMA) return false;
      if (!this.#value(2) || this.#bytes[this.#at++] !== END) return false;
    } while (this.#bytes[this.#at] === COMMA);
    return this.#bytes[this.#at++] === END;
  }

  /** `[ref, […], […], records, records_withheld]` */
  #fields(): boolean {
    if (this.#bytes[this.#at++] !== BEGIN) return false;
    const fields = this.#document('fields')?.document ?? undefined;
    if (fields === undefined || !areSoundFields(fields)) return false;
    for (let i = 1; i < 5; i++) {
      if (this.#bytes[this.#at++] !== COMMA) return false;
      if (i < 3 ? this.#array(2) === -1 : !this.#value(2)) return false;
    }
    return this.#bytes[this.#at++] === END;
  }

  #value(depth: number): boolean {
    switch (this.#bytes[this.#at]) {
      case QUOTE:
        return this.#string();
      case OPEN:
        return this.#object(depth);
      case BEGIN:
        return this.#array(depth) !== -1;
      case 0x74:
        return this.#word('true');
      case 0x66:
        return this.#word('false');
      case 0x6e:
        return this.#word('null');
      default:
        return this.#integer();
    }
  }

  /** The number of its elements. */
  #array(depth: number): number {
    if (this.#bytes[this.#at] !== BEGIN || depth > MAX_DEPTH) return -1;
    if (this.#bytes[this.#at + 1] === END) {
      this.#at += 2;
      return 0;
    }
    let count = 0;
    do {
      this.#at++;
      if (!this.#value(depth + 1)) return -1;
      count++;
    } while (this.#bytes[this.#at] === COMMA);
    return this.#bytes[this.#at++] === END ? count : -1;
  }

  #object(depth: number): boolean {
    const bytes = this.#bytes;
    if (depth > MAX_DEPTH) return false;
    if (bytes[this.#at + 1] === CLOSE) {
      this.#at += 2;
      return true;
    }
    let [before, beforeEnd] = [0, 0];
    do {
      const from = ++this.#at;
      if (bytes[from] !== QUOTE || !this.#plain()) return false;
      if (before > 0 && !this.#isAfter(before, beforeEnd, from, this.#at)) return false;
      [before, beforeEnd] = [from, this.#at];
      if (bytes[this.#at++] !== COLON || !this.#value(depth + 1)) return false;
    } while (bytes[this.#at] === COMMA);
    return bytes[this.#at++] === CLOSE;
  }

  /** True if the second name is greater; both are plain, and stand in quotes. */
  #isAfter(a: number, aEnd: number, b: number, bEnd: number): boolean {
    const bytes = this.#bytes;
    const [aLength, bLength] = [aEnd - a - 2, bEnd - b - 2];
    const shorter = Math.min(aLength, bLength);
    for (let i = 1; i <= shorter; i++) {
      const difference = bytes[b + i]! - bytes[a + i]!;
      if (difference !== 0) return difference > 0;
    }
    return bLength > aLength;
  }

  /** A string of printable ASCII without escapes: of such, the order of bytes is the order of UTF-16 code units. */
  #plain(): boolean {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    for (; ; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      if (!(byte >= 0x20 && byte <= 0x7e) || byte === BACKSLASH) return false;
    }
    this.#at = at + 1;
    return true;
  }

  #string(): boolean {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== QUOTE) return false;
    let at = this.#at + 1;
    for (;;) {
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      if (byte >= 0x80) at = afterCharacter(bytes, at);
      else if (byte === BACKSLASH) at = afterEscape(bytes, at);
      else if (byte >= 0x20) at++;
      else return false;
      if (at === -1) return false;
    }
    this.#at = at + 1;
    return true;
  }

  /** Other numbers have several spellings. */
  #integer(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const first = at;
    while (bytes[at]! >= ZERO && bytes[at]! <= 0x39) at++;
    const digits = at - first;
    if (digits === 0 || digits > MAX_INTEGER_DIGITS) return false;
    if (bytes[first] === ZERO && (digits > 1 || isNegative)) return false;
    this.#at = at;
    const next = bytes[at];
    return next === COMMA || next === END || next === CLOSE;
  }

  #word(word: string): boolean {
    const end = this.#at + word.length;
    if (text(this.#bytes, this.#at, end) !== word) return false;
    this.#at = end;
    return true;
  }
}

const NEEDED = (1 << ACCESS) | (1 << DECISION_ID) | (1 << TIMESTAMP) | (1 << TIMINGS);

/** The end of an escape that `JSON.stringify` writes; -1 for another one. */
function afterEscape(bytes: Buffer, at: number): number {
  switch (bytes[at + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x75: {
      const code = text(bytes, at + 2, at + 6);
      return /^00(?:0[0-7be-f]|1[0-9a-f])$/.test(code) ? at + 6 : -1;
    }
    default:
      return -1;
  }
}

/** The end of a character beyond ASCII in well-formed UTF-8 (Unicode 16, table 3-7); -1 for anything else. */
function afterCharacter(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const second = bytes[at + 1]!;
  if (first >= 0xc2 && first <= 0xdf) return isContinuation(second) ? at + 2 : -1;
  if (first >= 0xe0 && first <= 0xef) {
    const isSecond = first === 0xe0 ? second >= 0xa0 : first === 0xed ? second < 0xa0 : true;
    return isSecond && isContinuation(second) && isContinuation(bytes[at + 2]!) ? at + 3 : -1;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const isSecond = first === 0xf0 ? second >= 0x90 : first === 0xf4 ? second < 0x90 : true;
    const isRest = isContinuation(bytes[at + 2]!) && isContinuation(bytes[at + 3]!);
    return isSecond && isContinuation(second) && isRest ? at + 4 : -1;
  }
  return -1;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;
