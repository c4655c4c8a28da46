/** Checks that the journal still holds the given records. It checks single records; `verify` checks entire chains. */
import { GENESIS, isLinked } from '../journal/chain.ts';
import type { ChainPosition } from '../index/decision.ts';
import { listOrigins } from '../journal/directory.ts';
import { linesLeft } from '../journal/lines.ts';
import { isShared } from '../journal/line.ts';
import { SegmentReader } from '../journal/reader.ts';

export interface Proof {
  readonly position: ChainPosition;
  readonly intact: boolean;
  /** the finding, a sentence */
  readonly detail: string;
}

/** Checks the hash of each position, and its link to the record before it. */
export async function prove(dir: string, positions: readonly ChainPosition[]): Promise<Proof[]> {
  const origins = await listOrigins(dir);
  const proofs: Proof[] = [];
  for (const position of positions) {
    const segments = origins.find((o) => o.origin === position.origin)?.segments ?? [];
    const at = segments.findLastIndex((s) => s.first <= position.seq);
    const paths = [segments[at - 1], segments[at]].filter((s) => s !== undefined).map((s) => s.path);
    proofs.push(await one(paths, position));
  }
  return proofs;
}

async function one(paths: readonly string[], position: ChainPosition): Promise<Proof> {
  const { seq } = position;
  let before: string | null = seq === 1 ? GENESIS : null;
  const say = (intact: boolean, detail: string): Proof => ({ position, intact, detail });
  const marks = [seq - 1, seq].flatMap((n) => [Buffer.from(`,"seq":${n},`), Buffer.from(`","s":${n},"v":`)]);
  const reader = new SegmentReader();
  for (const path of paths) {
    /** hash of the last shared document in this segment that was written for the record */
    let after: string | null = null;
    reader.begin();
    for await (const lines of linesLeft(path)) {
      for (const { bytes } of lines) {
        if (!isShared(bytes) && !marks.some((mark) => bytes.includes(mark))) continue;
        const read = reader.read(bytes);
        if (read.what === 'fault') {
          if (read.record?.seq === seq)
            return say(false, 'The record was altered: its hash is not that of its content.');
          continue;
        }
        const { link } = read;
        if (link.document !== null) {
          if (link.seq === seq) after = link.hash;
          continue;
        }
        if (link.seq === seq - 1) before = link.hash;
        if (link.seq !== seq) continue;
        if (link.hash !== position.hash)
          return say(false, 'The journal holds a different record at this position.');
        if (read.what === 'unreadable') return say(false, `The record cannot be read: ${read.detail}.`);
        const whose =
          read.what === 'removed' ? 'Its content was removed from the journal. Its hash' : 'Its hash';
        if (!isLinked({ seq, prev: before, after }, link))
          return say(false, `${whose} verifies, but it does not follow the record before it.`);
        return before === null
          ? say(true, `${whose} verifies; the record before it is not here.`)
          : say(true, `${whose} verifies, and it follows the record before it.`);
      }
    }
  }
  return say(false, 'The journal does not hold this record any more.');
}
