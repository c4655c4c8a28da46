/** Writes lines of version 1, which Sluice reads and does not write any more. */
import { hash } from 'node:crypto';
import type { DecisionRecord, DecisionRecordDraft } from '../../src/model/record.ts';
import { normalize } from '../../src/decision-log/journal/canonical.ts';
import { type LineBuffer, singleLine } from '../../src/decision-log/journal/pages.ts';
import { serialize } from '../../src/decision-log/journal/serialize.ts';

const TAIL_BYTES = ',"hash":"'.length + 64 + '"}'.length;

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
  const length = serialize(record, lines, 0);
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
