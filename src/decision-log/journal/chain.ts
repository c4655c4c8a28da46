/**
 * The chain: each line holds the hash of one before. Lines of version 1 and 2 may follow each other.
 *
 * Version 1: a line is the RFC 8785 canonical JSON of the complete record, except that the member `hash` comes last instead
 * of in alphabetical order. The hashed bytes are the line without its last 75 bytes, plus the closing brace.
 * Version 2: `line.ts`.
 */
import { hash } from 'node:crypto';
import type { DecisionRecord } from '../../model/record.ts';
import { canonical } from './canonical.ts';
import type { DocumentKind, Payload } from './compact.ts';
import { isVersion2, type LineFault, type Parsed, parse } from './line.ts';

export type { LineFault } from './line.ts';

/** `prev_hash` of the first record of an origin */
export const GENESIS = '0'.repeat(64);

export const isHash = (text: unknown): text is string =>
  typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);

const TAIL_BYTES = ',"hash":"'.length + 64 + '"}'.length;
const TAIL = /^,"hash":"([0-9a-f]{64})"\}$/;
const CLOSE = 0x7d;

/** What a line states about its place in the chain. */
export interface ChainLink {
  readonly origin: string;
  readonly seq: number;
  readonly prev_hash: string;
  readonly hash: string;
  readonly after: string | null;
  readonly document: DocumentKind | null;
}

export type Inspected =
  | { readonly ok: true; readonly version: 1; readonly link: ChainLink; readonly record: DecisionRecord }
  | { readonly ok: true; readonly version: 2; readonly link: ChainLink; readonly parsed: Parsed }
  | { readonly ok: false; readonly fault: LineFault; readonly record: Partial<DecisionRecord> | null };

/**
 * Accepts a line (without its newline) only if its bytes are exactly what Sluice writes for what is in it.
 * `bytes` is modified and restored, so it must not be shared.
 */
export function inspect(bytes: Buffer): Inspected {
  const parsed = parse(bytes);
  if (parsed === null) return inspectComplete(bytes);
  if (typeof parsed === 'string') return { ok: false, fault: parsed, record: glimpse(bytes) };
  const { origin, seq, prev, hash, after, document } = parsed;
  return { ok: true, version: 2, link: { origin, seq, prev_hash: prev, hash, after, document }, parsed };
}

function inspectComplete(bytes: Buffer): Inspected {
  const cut = bytes.length - TAIL_BYTES;
  const digest = cut < 2 ? null : TAIL.exec(bytes.toString('latin1', cut))?.[1];
  if (digest === null || digest === undefined)
    return { ok: false, fault: 'line_malformed', record: glimpse(bytes) };
  // Replacing one byte by the closing brace saves a copy of the line.
  const comma = bytes[cut]!;
  bytes[cut] = CLOSE;
  const body = bytes.subarray(0, cut + 1);
  try {
    if (hash('sha256', body, 'hex') !== digest)
      return { ok: false, fault: 'hash_mismatch', record: glimpse(body) };
    const text = body.toString('utf8');
    const value = objectIn(text);
    if (value === null) return { ok: false, fault: 'line_malformed', record: null };
    if ('hash' in value || !hasLink(value) || safeCanonical(value) !== text)
      return { ok: false, fault: 'not_canonical', record: value };
    const record = { ...value, hash: digest } as DecisionRecord;
    const { origin, seq, prev_hash } = record;
    const link = { origin, seq, prev_hash, hash: digest, after: null, document: null };
    return { ok: true, version: 1, link, record };
  } finally {
    bytes[cut] = comma;
  }
}

/** Members of a record that its own line holds; null if its payload was removed. */
export function ownMembers(
  inspected: Extract<Inspected, { ok: true }>,
): { readonly decision_id?: unknown; readonly timestamp?: unknown } | null {
  if (inspected.version === 1) return inspected.record;
  const payload = inspected.parsed.payload as Payload | null;
  return (payload?.record as DecisionRecord | undefined) ?? payload;
}

/** What a rejected line states about itself, so that a report can name it even if it is not JSON. */
function glimpse(bytes: Buffer): Partial<DecisionRecord> | null {
  const text = bytes.toString('utf8');
  const value = objectIn(text);
  if (value !== null && !isVersion2(bytes)) return value;
  const id = /"decision_id":"([\w-]{1,64})"/.exec(text)?.[1];
  const { o, s } = (value ?? {}) as { readonly o?: unknown; readonly s?: unknown };
  const stated = {
    ...(id === undefined ? {} : { decision_id: id }),
    ...(typeof o === 'string' ? { origin: o } : {}),
    ...(typeof s === 'number' ? { seq: s } : {}),
  };
  return Object.keys(stated).length === 0 ? null : stated;
}

function objectIn(text: string): Partial<DecisionRecord> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function safeCanonical(value: unknown): string | null {
  try {
    return canonical(value);
  } catch {
    return null;
  }
}

const hasLink = (r: Partial<DecisionRecord>): boolean =>
  typeof r.origin === 'string' &&
  Number.isSafeInteger(r.seq) &&
  isHash(r.prev_hash) &&
  typeof r.decision_id === 'string' &&
  typeof r.timestamp === 'string';

/** What the next line of a chain must be linked to. `prev` is null after a line that was rejected, whose hash is unknown. */
export interface Expected {
  readonly seq: number;
  readonly prev: string | null;
  /** hash of the last shared document that was written for the next record */
  readonly after: string | null;
}

export const BEGINNING: Expected = { seq: 1, prev: GENESIS, after: null };

/** True if the line is linked to the ones before it, as far as these are known. Its seq is not compared. */
export function isLinked({ prev, after }: Expected, link: ChainLink): boolean {
  if (link.document !== null && after !== null) return link.prev_hash === after;
  if (prev === null) return after === null || link.after === after;
  return link.prev_hash === prev && link.after === after;
}

export const followedBy = ({ prev }: Expected, link: ChainLink): Expected =>
  link.document !== null
    ? { seq: link.seq, prev, after: link.hash }
    : { seq: link.seq + 1, prev: link.hash, after: null };
