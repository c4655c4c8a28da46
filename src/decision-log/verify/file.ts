/**
 * Verifies records outside a journal: an export, a segment, or an archived segment (gzip, age). Each line must be exactly what
 * Sluice writes for its record, and adjacent records of a chain must be linked. Gaps are counted but are no problem, since
 * an export may be filtered. The shared documents of the file are kept in memory, 8 MiB at most for each segment in it.
 */
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { type Identities, openFile } from '../age.ts';
import type { CopyMask, DecisionRecord } from '../../model/record.ts';
import type { Anchor } from './anchor.ts';
import { isLinked } from '../journal/chain.ts';
import { readCopy } from '../journal/copy.ts';
import { errno } from '../journal/directory.ts';
import { type Line, splitLines } from '../journal/lines.ts';
import { isCut, SegmentReader } from '../journal/reader.ts';
import { bounded } from '../unpack.ts';
import { type ProblemKind, Problems } from './problems.ts';
import { FAULTS, WITHOUT_RECORD } from './verify.ts';

export interface FileReport {
  readonly ok: boolean;
  readonly file: string;
  readonly records: number;
  /** records that cannot be read, because their payload, or that of a shared document, was removed; their place is verified */
  readonly removed: number;
  readonly chains: readonly ChainInFile[];
  readonly problems: Problems['kept'];
  readonly problems_total: number;
}

export interface ChainInFile {
  readonly origin: string;
  readonly records: number;
  readonly first: number;
  readonly last: number;
  /** of the last record */
  readonly hash: string;
  /** number of places at which records of the chain are missing from the file */
  readonly gaps: number;
}

/** bytes kept of a line that is longer than any record */
const LONGEST_SHOWN = 4096;

const begins = (...bytes: number[]) => {
  const head = Buffer.from(bytes);
  return (line: Buffer): boolean => line.subarray(0, head.length).equals(head);
};
/** Signs that a program rewrote the file: the records may be intact, but the bytes are not those that Sluice wrote. */
const REWRITTEN: readonly { readonly shows: (line: Buffer) => boolean; readonly means: string }[] = [
  {
    shows: (line) => line.at(-1) === 0x0d && line.length > 1,
    means: 'ends with CR LF: an editor or a transfer has rewritten the file',
  },
  {
    shows: begins(0xef, 0xbb, 0xbf),
    means: 'begins with a byte order mark: an editor has rewritten the file',
  },
  { shows: begins(0xff, 0xfe), means: 'begins like UTF-16: an editor has rewritten the file' },
  { shows: begins(0x1f, 0x8b), means: 'begins like gzip: the file was compressed twice' },
  { shows: begins(0x28, 0xb5, 0x2f, 0xfd), means: 'begins like zstd: decompress it first' },
];

const GZIP = Buffer.from([0x1f, 0x8b]);

/**
 * @param isStated whether a journal states that the content of a record is removed; absent: nobody knows
 * @throws SluiceError `input_invalid` if it cannot be read or holds no record
 */
export async function verifyFile(
  path: string,
  anchors: readonly Anchor[] = [],
  {
    isStated = () => false,
    identities = [],
  }: { readonly isStated?: (origin: string, seq: number) => boolean; readonly identities?: Identities } = {},
): Promise<FileReport> {
  const file = basename(path);
  const problems = new Problems('Whether its removal was stated, the journal tells: name it with --journal.');
  const chains = new Map<string, { -readonly [key in keyof ChainInFile]: ChainInFile[key] }>();
  const anchored = new Map(anchors.map((a) => [`${a.origin} ${a.seq}`, a]));
  const reader = new SegmentReader();
  /** origin → the last shared document that was written for its next record */
  const pending = new Map<string, { readonly hash: string; readonly seq: number; readonly line: number }>();
  let hint: string | null = null;
  let number = 0;
  let records = 0;
  let removed = 0;
  let copies = 0;
  const say = (
    what: ProblemKind,
    message: string,
    record?: { readonly origin: string; readonly seq: number; readonly decision_id: string | null },
  ): void =>
    problems.add({
      what,
      message,
      origin: record?.origin ?? '',
      file,
      line: number,
      seq: record?.seq ?? null,
      decision_id: record?.decision_id ?? null,
    });
  try {
    for await (const line of linesOf(path, identities)) {
      number++;
      if (!line.complete) {
        say(
          'line_malformed',
          line.bytes.length < LONGEST_SHOWN
            ? 'The line has no end: the file is cut off.'
            : 'The line is longer than any record, or has no end.',
        );
        continue;
      }
      const rewritten = REWRITTEN.find(({ shows }) => shows(line.bytes));
      if (rewritten !== undefined) {
        hint ??= rewritten.means;
        say('line_malformed', `The line ${rewritten.means}`);
        continue;
      }
      const read = reader.read(line.bytes);
      const copy =
        read.what === 'fault' && read.fault === 'hash_mismatch' ? readCopy(line.bytes.toString()) : null;
      if (read.what === 'fault' && copy === null) {
        const masked = maskedIn(line.bytes);
        if (masked !== null) {
          copies++;
          say(
            'masked_copy',
            'The policy has masked this copy for its sink, so it proves nothing: verify the record in the journal.',
            masked,
          );
          continue;
        }
        say(read.fault, FAULTS[read.fault]);
        continue;
      }
      if (isCut(read) && !isStated(read.link.origin, read.link.seq))
        problems.removed(read.link, file, number);
      else problems.endRun();
      const link = read.what === 'fault' ? { ...copy!, after: null, document: null } : read.link;
      const id = copy?.decision_id ?? (read.what === 'record' ? read.record.decision_id : null);
      const { origin, seq, hash } = link;
      const at = { origin, seq, decision_id: id };
      const chain = chains.get(origin);
      /** null: the record before is not in the file */
      const before = chain === undefined || seq > chain.last + 1 ? null : chain.hash;
      const after = pending.get(origin)?.hash ?? null;
      if (link.document !== null) {
        if (read.what === 'document' && !read.isNew)
          say(
            'record_repeated',
            `The shared document ${read.ref.slice(0, 16)} is in this file more than once.`,
            at,
          );
        else if (!isLinked({ seq, prev: before, after }, link))
          say('prev_hash_mismatch', 'This shared document does not follow the line before it.', at);
        pending.set(origin, { hash, seq, line: number });
        continue;
      }
      pending.delete(origin);
      records++;
      if (read.what === 'removed') removed++;
      if (read.what === 'unreadable') say('shared_missing', `The record cannot be read: ${read.detail}.`, at);
      if (chain === undefined)
        chains.set(origin, { origin, records: 1, first: seq, last: seq, hash, gaps: 0 });
      else {
        if (seq <= chain.last)
          say('record_repeated', `Record ${seq} follows ${chain.last}: repeated or out of order.`, at);
        else if (seq > chain.last + 1) chain.gaps++;
        else if (link.prev_hash !== chain.hash)
          say('prev_hash_mismatch', 'Its prev_hash is not the hash of the record before it.', at);
        Object.assign(chain, { records: chain.records + 1, last: seq, hash });
      }
      if (copy === null && link.after !== after)
        say(
          'shared_missing',
          'A shared document that was written before this record is missing or was replaced.',
          at,
        );
      const anchor = anchored.get(`${origin} ${seq}`);
      if (anchor !== undefined && anchor.hash !== hash)
        say('anchor_mismatch', 'An anchor names another hash for this record.', at);
    }
  } catch (cause) {
    if (isSluiceError(cause)) throw cause;
    if (number === 0)
      throw new SluiceError('input_invalid', {
        message: `${file} cannot be read (${errno(cause)}).`,
        at: { file: path },
        cause,
      });
    say('file_unreadable', `The file cannot be read to its end (${errno(cause)}).`);
    pending.clear();
  }
  problems.endRun();
  for (const [origin, { seq, line }] of pending)
    problems.add({
      what: 'shared_missing',
      message: WITHOUT_RECORD,
      origin,
      file,
      line,
      seq,
      decision_id: null,
    });
  if (records + copies === 0)
    throw new SluiceError('input_invalid', {
      message: `${file} holds no decision record${number === 0 ? ': it is empty' : hint === null ? '' : `: it ${hint}`}. Verify an export in NDJSON, a segment of a journal, or either in gzip; a CSV cannot be verified.`,
      at: { file: path },
    });
  return {
    ok: problems.total === 0,
    file,
    records,
    removed,
    chains: [...chains.values()],
    problems: problems.kept,
    problems_total: problems.total,
  };
}

/** The record in a copy that says that it is masked; null: it is none. */
function maskedIn(line: Buffer): (DecisionRecord & CopyMask) | null {
  try {
    const record = JSON.parse(line.toString()) as DecisionRecord & CopyMask;
    const isMasked = ['erased', 'masked', 'mask_error'].some((member) => Object.hasOwn(record, member));
    return isMasked && typeof record.origin === 'string' && typeof record.seq === 'number' ? record : null;
  } catch {
    return null;
  }
}

/** Detects gzip by the first bytes, not by the file name. */
async function* linesOf(path: string, identities: Identities): AsyncGenerator<Line, void, void> {
  const raw = await openFile(path, identities);
  const iterator = raw[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done === true) return;
    const head = Buffer.from(first.value as Uint8Array);
    const all = (async function* () {
      yield head;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield Buffer.from(next.value as Uint8Array);
      }
    })();
    if (!head.subarray(0, 2).equals(GZIP)) {
      for await (const lines of splitLines(all)) yield* lines;
      return;
    }
    const packed = Readable.from(all);
    const plain = createGunzip();
    packed.once('error', (e) => plain.destroy(e));
    for await (const lines of splitLines(bounded(path)(packed.pipe(plain)))) yield* lines;
  } finally {
    raw.destroy();
  }
}
