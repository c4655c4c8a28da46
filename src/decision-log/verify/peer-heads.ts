/** Compares chains with the heads that other chains recorded of them, and with anchors. So the removal of a chain is detected. */
import type { DecisionRecord } from '../../model/record.ts';
import type { Anchor } from './anchor.ts';
import { inspect, isHash, ownMembers } from '../journal/chain.ts';
import type { OriginFiles } from '../journal/directory.ts';
import { readLines } from '../journal/lines.ts';
import type { OriginReport, Problems } from './problems.ts';

interface PeerHead {
  readonly hash: string;
  /** the record that holds this head */
  readonly by: string;
}

/** origin → seq → the head that another chain recorded */
export type PeerHeads = Map<string, Map<number, PeerHead>>;

/** Maximum of heads kept for one origin; the newest are kept. */
const MAX_PEER_HEADS = 1000;

/** Collects the heads of other chains from a `journal_opened` record. */
export function collectPeerHeads(record: DecisionRecord, peers: PeerHeads): void {
  if (!record.reasons?.some((r) => r.code === 'journal_opened')) return;
  for (const [label, value] of Object.entries(record.labels ?? {})) {
    if (!label.startsWith('peer.')) continue;
    const [seq, hash] = String(value).split(':');
    if (!Number.isSafeInteger(Number(seq)) || !isHash(hash)) continue;
    const origin = label.slice('peer.'.length);
    const known = peers.get(origin) ?? new Map<number, PeerHead>();
    known.set(Number(seq), { hash, by: `${record.origin} ${record.seq}` });
    if (known.size > MAX_PEER_HEADS) known.delete(known.keys().next().value!);
    peers.set(origin, known);
  }
}

export async function checkPeerHeads(
  peers: PeerHeads,
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
  for (const [origin, known] of peers) {
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
  const reached = `The chain ${origin} reached ${seq} according to ${by}, but`;
  problems.add({
    what: present ? 'tail_missing' : 'origin_missing',
    message: !present
      ? `${reached} the journal holds no part of it.`
      : last === null
        ? `${reached} that record is missing, and no anchor with "archived":true states that it was moved to an archive.`
        : `${reached} ends at ${last}.`,
    origin,
    file: null,
    line: null,
    seq,
    decision_id: null,
  });
}

/** Reads the segments of the named records again, to compare hashes. */
async function compare(files: OriginFiles, peers: Map<number, PeerHead>, problems: Problems): Promise<void> {
  for (const [i, segment] of files.segments.entries()) {
    const next = files.segments[i + 1]?.first ?? Number.POSITIVE_INFINITY;
    const here = [...peers].filter(([seq]) => seq >= segment.first && seq < next);
    if (here.length === 0) continue;
    const wanted = new Map(here);
    for await (const lines of readLines(segment.path)) {
      for (const line of lines) {
        const inspected = inspect(line.bytes);
        if (!inspected.ok || inspected.link.document !== null) continue;
        const { seq, hash } = inspected.link;
        const peer = wanted.get(seq);
        if (peer === undefined || peer.hash === hash) continue;
        problems.add({
          what: 'anchor_mismatch',
          message: `Record ${peer.by} names another hash for this record.`,
          origin: files.origin,
          file: segment.file,
          line: null,
          seq,
          decision_id: (ownMembers(inspected)?.decision_id as string | undefined) ?? null,
        });
      }
    }
  }
}
