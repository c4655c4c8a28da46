/**
 * Each record is one line and one link of the chain. A line is the RFC 8785 canonical JSON of the record, except that the
 * member `hash` comes last instead of in alphabetical order. The hashed bytes are the line without its last 75 bytes, plus
 * the closing brace, so anybody can check a line with `sha256sum`.
 */
import { hash } from 'node:crypto';
import type { DecisionRecord, DecisionRecordDraft } from '../../model/record.ts';
import { normalize, canonical } from './canonical.ts';
import { type LineBuffer, singleLine } from './pages.ts';
import { serialize } from './serialize.ts';

/** `prev_hash` of the first record of an origin */
export const GENESIS = '0'.repeat(64);

export interface Link {
  readonly origin: string;
  readonly seq: number;
  readonly prev_hash: string;
}

export interface Sealed {
  readonly record: DecisionRecord;
  /** the line with its newline, a view of its page; valid until the page is reused */
  readonly bytes: Buffer;
}

export const isHash = (text: unknown): text is string =>
  typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);

/** Turns a draft into the record at `link`, and writes its line. */
export function seal(draft: DecisionRecordDraft, link: Link, lines: LineBuffer = singleLine()): Sealed {
  const { record, length } = written(linked(draft, link), lines);
  lines.reserve(length, TAIL_BYTES);
  const { page, at } = lines;
  const end = at + length;
  const digest = hash('sha256', page.subarray(at, end), 'hex');
  // overwrites the closing brace
  const stop = end - 1 + page.write(`,"hash":"${digest}"}\n`, end - 1, 'latin1');
  lines.endLine(stop);
  (record as { hash?: string }).hash = digest;
  return { record: record as DecisionRecord, bytes: page.subarray(at, stop) };
}

type Linked = DecisionRecordDraft & Link;

/** Writes `length` bytes of canonical JSON at the start of the next line, and returns the record with its members in that order. */
function written(record: Linked, lines: LineBuffer): { readonly record: Linked; readonly length: number } {
  const length = serialize(record, lines);
  if (length !== null) return { record, length };
  const { value, json } = normalize(record);
  const bytes = Buffer.byteLength(json);
  lines.reserve(0, bytes);
  lines.page.write(json, lines.at, 'utf8');
  return { record: value, length: bytes };
}

/** Number of members of a draft. A draft with other members keeps them, but takes the slower path. */
const MEMBERS = 24;

/** An object literal in canonical order: sorting 27 names for every request would cost as much as hashing. */
function linked(d: DecisionRecordDraft, link: Link): Linked {
  if (Object.keys(d).length !== MEMBERS)
    return { ...d, origin: link.origin, seq: link.seq, prev_hash: link.prev_hash };
  const ordered: Linked = {
    action: d.action,
    claimed: d.claimed ?? [],
    decision_id: d.decision_id,
    disclosure: d.disclosure,
    grant_id: d.grant_id,
    input: d.input,
    justification: d.justification,
    kind: d.kind,
    labels: d.labels,
    origin: link.origin,
    outcome: d.outcome,
    part: d.part,
    policy: d.policy,
    prev_hash: link.prev_hash,
    purpose: d.purpose,
    reasons: d.reasons,
    recipient: d.recipient,
    request: d.request,
    resource: d.resource,
    response: d.response,
    seq: link.seq,
    subject: d.subject,
    tier: d.tier,
    timestamp: d.timestamp,
    timings_us: d.timings_us,
    trace_id: d.trace_id,
    upstream: d.upstream,
  };
  return ordered;
}

const TAIL_BYTES = ',"hash":"'.length + 64 + '"}'.length;
const TAIL = /^,"hash":"([0-9a-f]{64})"\}$/;
const CLOSE = 0x7d;

export type LineFault = 'line_malformed' | 'hash_mismatch' | 'not_canonical';

export type Inspected =
  | { readonly ok: true; readonly record: DecisionRecord }
  | { readonly ok: false; readonly fault: LineFault; readonly record: Partial<DecisionRecord> | null };

/**
 * Accepts a line (without its newline) only if its bytes are exactly what `seal` writes for the record in it.
 * `bytes` is modified and restored, so it must not be shared.
 */
export function inspect(bytes: Buffer): Inspected {
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
    const value = parsed(text);
    if (value === null) return { ok: false, fault: 'line_malformed', record: null };
    if ('hash' in value || !hasLink(value) || safeCanonical(value) !== text)
      return { ok: false, fault: 'not_canonical', record: value };
    return { ok: true, record: { ...value, hash: digest } as DecisionRecord };
  } finally {
    bytes[cut] = comma;
  }
}

/** What a rejected line states about itself, so that a report can name it even if it is not JSON. */
function glimpse(bytes: Buffer): Partial<DecisionRecord> | null {
  const text = bytes.toString('utf8');
  const id = /"decision_id":"([\w-]{1,64})"/.exec(text)?.[1];
  return parsed(text) ?? (id === undefined ? null : { decision_id: id });
}

function parsed(text: string): Partial<DecisionRecord> | null {
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
