/** What chains say of each other, and what anchors say of them: so that one removed whole is missed. */
import type { DecisionRecord } from '../../model/record.ts';
import type { Anchor } from '../verify/anchor.ts';
import { inspect, isHash } from './chain.ts';
import type { OriginFiles } from './directory.ts';
import { readLines } from './lines.ts';
import type { OriginReport, Problems } from '../verify/problems.ts';

interface Claim {
  readonly hash: string;
  /** the record that says so */
  readonly by: string;
}

/** origin → seq → what is claimed of it */
export type Claims = Map<string, Map<number, Claim>>;

/** Claims kept for one origin; a directory that saw more starts is checked by its newest. */
const MOST = 1000;

/** Takes the heads of other chains from a record that a start wrote. */
export function peerClaims(record: DecisionRecord, claims: Claims): void {
  if (!record.reasons?.some((r) => r.code === 'journal_opened')) return;
  for (const [label, value] of Object.entries(record.labels ?? {})) {
    if (!label.startsWith('peer.')) continue;
    const [seq, hash] = String(value).split(':');
    if (!Number.isSafeInteger(Number(seq)) || !isHash(hash)) continue;
    const origin = label.slice('peer.'.length);
    const known = claims.get(origin) ?? new Map<number, Claim>();
    known.set(Number(seq), { hash, by: `${record.origin} ${record.seq}` });
    if (known.size > MOST) known.delete(known.keys().next().value!);
    claims.set(origin, known);
  }
}

export async function checkClaims(
  claims: Claims,
  anchors: readonly Anchor[],
  reports: readonly OriginReport[],
  origins: readonly OriginFiles[],
  problems: Problems,
): Promise<void> {
  for (const anchor of anchors) {
    const report = reports.find((r) => r.origin === anchor.origin);
    if (anchor.archived === true && (report === undefined || anchor.seq < report.first)) continue;
    const last = report?.last ?? 0;
    if (anchor.seq > last)
      missing(problems, anchor.origin, report !== undefined, anchor.seq, last, 'an anchor');
    else if (report !== undefined && anchor.seq > 0 && anchor.seq < report.first)
      missing(problems, anchor.origin, true, anchor.seq, null, 'an anchor');
  }
  for (const [origin, known] of claims) {
    const report = reports.find((r) => r.origin === origin);
    const archived = Math.max(
      0,
      ...anchors.filter((a) => a.origin === origin && a.archived).map((a) => a.seq),
    );
    const last = report?.last ?? 0;
    const open = [...known].filter(([seq]) => seq > archived);
    const [beyond] = open.filter(([seq]) => seq > last).sort(([a], [b]) => b - a);
    if (beyond) missing(problems, origin, report !== undefined, beyond[0], last, `record ${beyond[1].by}`);
    const files = origins.find((f) => f.origin === origin);
    if (files !== undefined) await compare(files, new Map(open.filter(([seq]) => seq <= last)), problems);
  }
}

function missing(
  problems: Problems,
  origin: string,
  present: boolean,
  seq: number,
  last: number | null,
  by: string,
): void {
  const reached = `The chain ${origin} reached ${seq}, as ${by} says, but`;
  problems.add({
    what: present ? 'tail_missing' : 'origin_missing',
    message: !present
      ? `${reached} nothing of it is here.`
      : last === null
        ? `${reached} that record is not here; an anchor with "archived":true would say that it was moved on purpose.`
        : `${reached} ends at ${last}.`,
    origin,
    file: null,
    line: null,
    seq,
    decision_id: null,
  });
}

/** Reads the segments that hold the claimed records once more, for their hashes. */
async function compare(files: OriginFiles, claims: Map<number, Claim>, problems: Problems): Promise<void> {
  for (const [i, segment] of files.segments.entries()) {
    const next = files.segments[i + 1]?.first ?? Number.POSITIVE_INFINITY;
    const here = [...claims].filter(([seq]) => seq >= segment.first && seq < next);
    if (here.length === 0) continue;
    const wanted = new Map(here);
    for await (const lines of readLines(segment.path)) {
      for (const line of lines) {
        const inspected = inspect(line.bytes);
        const claim = inspected.ok ? wanted.get(inspected.record.seq) : undefined;
        if (!inspected.ok || claim === undefined || claim.hash === inspected.record.hash) continue;
        problems.add({
          what: 'anchor_mismatch',
          message: `Record ${claim.by} names another hash for this record.`,
          origin: files.origin,
          file: segment.file,
          line: null,
          seq: inspected.record.seq,
          decision_id: inspected.record.decision_id,
        });
      }
    }
  }
}
