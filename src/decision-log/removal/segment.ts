/** Removes payloads from one segment: the segment is written again beside, flushed, and renamed over the old one. */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { Payload } from '../journal/compact.ts';
import { inspect } from '../journal/chain.ts';
import { type Segment, syncDirectory } from '../journal/directory.ts';
import { cut, SHORT_REF } from '../journal/line.ts';
import { readLines } from '../journal/lines.ts';
import { isIn, type Range } from './statement.ts';

const DRAFT = '.new';

/** Deletes what an interrupted removal left: a draft holds payloads that a later removal would miss. */
export function deleteDrafts(dir: string): void {
  for (const name of readdirSync(dir)) if (name.endsWith(`.jsonl${DRAFT}`)) rmSync(join(dir, name));
}

/**
 * Cuts the lines of the named records, and those of shared documents that no other record of the segment refers to.
 * @throws SluiceError `chain_broken` if a line does not verify; the segment is not changed then
 */
export async function removePayloads(dir: string, segment: Segment, ranges: readonly Range[]): Promise<void> {
  const needed = await neededDocuments(segment, ranges);
  const path = `${segment.path}${DRAFT}`;
  const fd = openSync(path, 'w', 0o600);
  try {
    fchmodSync(fd, statSync(segment.path).mode & 0o777);
    for await (const lines of readLines(segment.path)) {
      const kept: Buffer[] = [];
      for (const { bytes, complete } of lines) {
        const inspected = inspect(bytes);
        if (!complete || !inspected.ok) throw broken(segment);
        kept.push(
          inspected.version === 2 && isCut(inspected.link, inspected.parsed.commitment) ? cut(bytes) : bytes,
          NEWLINE,
        );
      }
      writeWhole(fd, Buffer.concat(kept));
    }
    fsyncSync(fd);
  } catch (e) {
    closeSync(fd);
    rmSync(path, { force: true });
    throw e;
  }
  closeSync(fd);
  renameSync(path, segment.path);
  syncDirectory(dir);

  function isCut(
    link: { readonly document: string | null; readonly seq: number },
    commitment: string,
  ): boolean {
    if (link.document === null) return isIn(ranges, link.seq);
    return !needed.has(commitment) && !needed.has(commitment.slice(0, SHORT_REF));
  }
}

const NEWLINE = Buffer.from('\n');

function writeWhole(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** References to shared documents in the records that stay. */
async function neededDocuments(segment: Segment, ranges: readonly Range[]): Promise<ReadonlySet<string>> {
  const needed = new Set<string>();
  for await (const lines of readLines(segment.path)) {
    for (const { bytes } of lines) {
      const inspected = inspect(bytes);
      if (!inspected.ok) throw broken(segment);
      if (inspected.version === 1 || inspected.link.document !== null || isIn(ranges, inspected.link.seq))
        continue;
      const payload = inspected.parsed.payload as Payload | null;
      if (payload === null) continue;
      const { access, answers = [], fields, subject } = payload;
      for (const ref of [access, subject, fields?.[0], ...answers.map(([answer]) => answer)])
        if (ref !== undefined) needed.add(ref);
    }
  }
  return needed;
}

const broken = ({ file }: Segment): SluiceError =>
  new SluiceError(
    'chain_broken',
    `The segment ${file} does not verify any more. It was left as it is; run \`sluice decisions verify\`.`,
  );
