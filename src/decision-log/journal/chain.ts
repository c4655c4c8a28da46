/**
 * One record, one line, one link of the chain. A line is the RFC 8785 canonical JSON of the record, with the member
 * `hash` put last instead of in its alphabetical place: so the bytes that were hashed are the line itself without its
 * last 75 bytes (and with the closing brace), and anybody can check a line with `sha256sum`.
 */
import { hash } from 'node:crypto';
import type { DecisionRecord, DecisionRecordDraft } from '../../model/record.ts';
import { arrange, canonical } from './canonical.ts';
import { type Lines, linesOf } from './pages.ts';
import { spell } from './spelling.ts';

/** `prev_hash` of the first record of an origin */
export const GENESIS = '0'.repeat(64);

export interface Link {
  readonly origin: string;
  readonly seq: number;
  readonly prev_hash: string;
}

export interface Sealed {
  readonly record: DecisionRecord;
  /** the line with its newline, where it was written; good until its page is given back */
  readonly bytes: Buffer;
}

export const isHash = (text: unknown): text is string =>
  typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);

/** Makes a draft the record at `link`, and writes its line. */
export function seal(draft: DecisionRecordDraft, link: Link, lines: Lines = linesOf()): Sealed {
  const { record, length } = written(linked(draft, link), lines);
  lines.room(length, TAIL_BYTES);
  const { page, at } = lines;
  const end = at + length;
  const digest = hash('sha256', page.subarray(at, end), 'hex');
  // over the closing brace
  const stop = end - 1 + page.write(`,"hash":"${digest}"}\n`, end - 1, 'latin1');
  lines.taken(stop);
  (record as { hash?: string }).hash = digest;
  return { record: record as DecisionRecord, bytes: page.subarray(at, stop) };
}

type Linked = DecisionRecordDraft & Link;

/** Where the next line begins, `length` bytes of canonical JSON; the record with its members in that order. */
function written(record: Linked, lines: Lines): { readonly record: Linked; readonly length: number } {
  const length = spell(record, lines);
  if (length !== null) return { record, length };
  const { value, json } = arrange(record);
  const bytes = Buffer.byteLength(json);
  lines.room(0, bytes);
  lines.page.write(json, lines.at, 'utf8');
  return { record: value, length: bytes };
}

/** Members of a draft; a draft with others keeps them, a little slower. */
const MEMBERS = 24;

/** A new object, written out in canonical order, because sorting some 27 names for every request costs as much as hashing. */
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
 * Believes a line (without its newline) only if its bytes are exactly those that `seal` writes for the record they
 * hold. `bytes` is written to and restored: the caller's private buffer.
 */
export function inspect(bytes: Buffer): Inspected {
  const cut = bytes.length - TAIL_BYTES;
  const digest = cut < 2 ? null : TAIL.exec(bytes.toString('latin1', cut))?.[1];
  if (digest === null || digest === undefined)
    return { ok: false, fault: 'line_malformed', record: glimpse(bytes) };
  // One byte exchanged for the closing brace saves a copy of the line.
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

/** What a line that is not believed says of itself, so that a report can name it, even if it is no JSON any more. */
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
