/**
 * Verifies an entire journal. Each line must be, byte for byte, what `seal` writes for its record. Each record must be
 * linked to the one before. Each chain must reach the seqs that its head, the anchors and the other chains name. Files are
 * streamed, so memory does not grow with the journal.
 * Longer than most files: the checks of a chain share its state.
 */
import { existsSync } from 'node:fs';
import { isSluiceError } from '../../errors.ts';
import { type Anchor, archivedAnchors } from './anchor.ts';
import { BEGINNING, type Expected, followedBy, GENESIS, isLinked } from '../journal/chain.ts';
import {
  ARCHIVED,
  errno,
  headPath,
  listOrigins,
  lockPath,
  type OriginFiles,
  type Segment,
} from '../journal/directory.ts';
import { type HeadState, readHead } from '../journal/head.ts';
import { type Line, readLines } from '../journal/lines.ts';
import { isHeld } from '../journal/lock.ts';
import { isShared } from '../journal/line.ts';
import { isCut, type Read, SegmentReader } from '../journal/reader.ts';
import { type OriginReport, type ProblemKind, Problems, type VerifyReport } from './problems.ts';
import type { Checkpoint } from '../tree/checkpoint.ts';
import { TreeCheck } from './tree.ts';
import { isOfRemovals } from '../removal/statement.ts';
import { Removals } from './removals.ts';
import { type PeerHeads, checkPeerHeads, collectPeerHeads } from './peer-heads.ts';

export interface VerifyOptions {
  readonly dir: string;
  /** `decision_log.journal.key`; without it a signature is not checked, and the report says so */
  readonly key: Buffer | null;
  readonly anchors?: readonly Anchor[];
  /** checkpoints that are kept elsewhere: signed notes, whose signatures the caller has checked if it has the keys */
  readonly checkpoints?: readonly Checkpoint[];
  progress?(bytes: number, total: number): void;
}

/** @throws SluiceError `journal_unwritable` if the directory cannot be read */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  for (;;) {
    const origins = await listOrigins(options.dir);
    const stated = statementsIn(options.dir, origins);
    // Segments may be archived while they are read. Then verify the rest with the new anchors; it ends, since segments become fewer.
    const isThere = (): boolean => origins.every((o) => o.segments.every(({ path }) => existsSync(path)));
    try {
      const report = await verifyListed(options, origins);
      if (report.ok) return report;
      // Content may have been removed while they were read: its statement stands in a chain that had been read by then.
      const isUnstated = report.problems.some(({ what }) => what === 'payload_removed');
      const isStale = isUnstated && stated !== statementsIn(options.dir, await listOrigins(options.dir));
      if (isThere() && !isStale) return report;
    } catch (e) {
      if (isThere()) throw e;
    }
  }
}

/** The number of statements of removal, as the heads of their chains have it. */
const statementsIn = (dir: string, origins: readonly OriginFiles[]): number =>
  origins
    .filter(({ origin }) => isOfRemovals(origin))
    .reduce((n, { origin }) => n + (readHead(headPath(dir, origin), null)?.latest?.head.seq ?? 0), 0);

async function verifyListed(options: VerifyOptions, origins: readonly OriginFiles[]): Promise<VerifyReport> {
  const problems = new Problems('No statement of removal in the journal names it.');
  const peers: PeerHeads = new Map();
  const removals = new Removals();
  const reports: OriginReport[] = [];
  const archived = archivedIn(options, problems);
  const anchors = [...(options.anchors ?? []), ...archived];
  const total = origins.reduce((sum, o) => sum + o.segments.reduce((n, s) => n + s.size, 0), 0);
  let done = 0;
  // Statements of removal are read before what they are about.
  const [stating, others] = [true, false].map((wanted) =>
    origins.filter(({ origin }) => isOfRemovals(origin) === wanted),
  );
  for (const files of [...stating!, ...others!]) {
    const chain = new ChainCheck(files, { ...options, anchors }, problems, { peers, removals }, (bytes) => {
      done += bytes;
      options.progress?.(Math.min(done, total), total);
    });
    reports.push(await chain.run());
  }
  reports.sort((a, b) => (a.origin < b.origin ? -1 : 1));
  await checkPeerHeads(peers, anchors, reports, origins, problems);
  reportOrphans(options.checkpoints ?? [], origins, problems);
  return {
    ok: problems.total === 0,
    records: reports.reduce((n, o) => n + o.records, 0),
    origins: reports,
    problems: problems.kept,
    problems_total: problems.total,
    anchors: options.anchors?.length ?? 0,
    checkpoints: options.checkpoints?.length ?? 0,
    removals: removals.report(),
  };
}

/** A checkpoint of a chain that is not here at all. */
function reportOrphans(
  checkpoints: readonly Checkpoint[],
  origins: readonly OriginFiles[],
  problems: Problems,
): void {
  for (const { log, size } of checkpoints)
    if (!origins.some(({ origin }) => isLogOf(log, origin)))
      problems.add({
        what: 'origin_missing',
        message: `The log ${printable(log)} has ${size} records according to a checkpoint, but the journal holds no part of it.`,
        origin: '',
        file: null,
        line: null,
        seq: null,
        decision_id: null,
      });
}

const isLogOf = (log: string, origin: string): boolean => log === origin || log.endsWith(`/${origin}`);

/** Anchors in the journal's own directory. If a key is given they must be signed with it. */
function archivedIn({ dir, key }: VerifyOptions, problems: Problems): readonly Anchor[] {
  try {
    return archivedAnchors(dir, key);
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    problems.add({
      what: 'archive_unreadable',
      message: `${e.message} So it is unknown which records were archived.`,
      origin: '',
      file: ARCHIVED,
      line: e.at?.line ?? null,
      seq: null,
      decision_id: null,
    });
    return [];
  }
}

/** What a chain says of others. */
interface Found {
  readonly peers: PeerHeads;
  readonly removals: Removals;
}

class ChainCheck {
  #files: OriginFiles;
  readonly #options: VerifyOptions;
  readonly #problems: Problems;
  readonly #found: Found;
  readonly #progress: (bytes: number) => void;
  readonly #anchors: ReadonlyMap<number, Anchor>;
  #next: Expected = BEGINNING;
  readonly #reader = new SegmentReader();
  /** bytes of the shared documents that were written for the next record */
  #pending = 0;
  #removed = 0;
  #unremoved = 0;
  #records = 0;
  #first = 0;
  #hash = GENESIS;
  #from: string | null = null;
  #until: string | null = null;
  #archived = 0;
  #hashAtHead: string | null = null;
  readonly #tree: TreeCheck;
  #head: HeadState | null = null;

  constructor(
    files: OriginFiles,
    options: VerifyOptions,
    problems: Problems,
    found: Found,
    progress: (bytes: number) => void,
  ) {
    this.#files = files;
    this.#options = options;
    this.#problems = problems;
    this.#found = found;
    this.#progress = progress;
    this.#tree = new TreeCheck(
      options.dir,
      files.origin,
      (options.checkpoints ?? []).filter(({ log }) => isLogOf(log, files.origin)),
      (what, message, seq) => this.#report(what, message, null, null, seq),
    );
    this.#anchors = new Map(
      (options.anchors ?? []).filter((a) => a.origin === files.origin).map((a) => [a.seq, a]),
    );
  }

  async run(): Promise<OriginReport> {
    // Read the head before listing the segments: a chain that grows meanwhile can only be ahead of this head.
    await this.#readHead();
    const { origin } = this.#files;
    this.#files = (await listOrigins(this.#options.dir)).find((o) => o.origin === origin) ?? this.#files;
    const live = this.#files.lock && isHeld(lockPath(this.#options.dir, this.#files.origin));
    for (const segment of this.#files.segments) {
      const last = segment === this.#files.segments.at(-1);
      try {
        await this.#segment(segment, last, live);
      } catch (e) {
        this.#report(
          'file_unreadable',
          `${segment.file} cannot be read (${errno(e)}).`,
          segment.file,
          null,
          null,
        );
      }
    }
    const signed = this.#checkHead();
    this.#tree.end();
    const last = this.#next.seq - 1;
    const headSeq = this.#head?.latest?.head.seq ?? last;
    return {
      origin: this.#files.origin,
      records: this.#records,
      first: this.#first,
      last: this.#records === 0 ? 0 : last,
      hash: this.#hash,
      from: this.#from,
      until: this.#until,
      head: signed,
      beyond_head: Math.max(0, last - headSeq),
      torn_tails: this.#files.torn.length,
      archived: this.#archived,
      removed: this.#removed,
      unremoved: this.#unremoved,
      live,
    };
  }

  async #segment(segment: Segment, last: boolean, live: boolean): Promise<void> {
    const { file } = segment;
    if (segment.size > 0 && segment.first !== this.#next.seq) this.#startsAt(segment);
    this.#reader.begin();
    let number = 0;
    let read = 0;
    let torn = false;
    for await (const lines of readLines(segment.path)) {
      for (const line of lines) {
        number++;
        if (line.complete) this.#line(line, file, number);
        else {
          torn = true;
          if (!(last && live && this.#beyondHead())) this.#torn(line.bytes.length, file, number, last);
        }
      }
      const end = lines.at(-1)!;
      this.#progress(end.offset + end.bytes.length - read);
      read = end.offset + end.bytes.length;
    }
    if (this.#next.after === null) return;
    // Shared documents without the record that they were written for.
    if (last && this.#beyondHead()) {
      if (!torn && !live) this.#torn(this.#pending, file, number, last);
    } else this.#report('shared_missing', WITHOUT_RECORD, file, number, this.#next.seq);
    this.#next = { ...this.#next, after: null };
  }

  /** A segment's name holds its first seq. A gap before it means that a segment is missing. */
  #startsAt(segment: Segment): void {
    const { first, file } = segment;
    const { seq } = this.#next;
    const archived = this.#anchors.get(first - 1);
    if (this.#first === 0 && archived?.archived === true) {
      this.#next = { seq: first, prev: archived.hash, after: null };
      this.#archived = first - 1;
      this.#tree.skip(first - 1, archived.hash);
      return;
    }
    if (first > seq) {
      const gone = first - 1 === seq ? `Record ${seq} is` : `Records ${seq} to ${first - 1} are`;
      this.#report(
        'records_missing',
        `${gone} missing: no segment before ${file} holds them.`,
        file,
        null,
        seq,
      );
    } else
      this.#report(
        'record_repeated',
        `${file} begins at ${first}, but an earlier segment holds that record.`,
        file,
        null,
        first,
      );
    this.#next = { seq: first, prev: null, after: null };
  }

  #line(line: Line, file: string, number: number): void {
    if (this.#isUsual(line)) return;
    const read = this.#reader.read(line.bytes);
    const isUnstated = isCut(read) && !this.#found.removals.isStated(this.#files.origin, read.link.seq);
    if (!isUnstated) this.#problems.endRun();
    if (read.what === 'fault') {
      const partial = read.record;
      const id = typeof partial?.decision_id === 'string' ? partial.decision_id : null;
      this.#report(read.fault, FAULTS[read.fault], file, number, this.#next.seq, id);
      const seq = isShared(line.bytes) ? this.#next.seq : this.#next.seq + 1;
      this.#next = { seq, prev: null, after: null };
      return;
    }
    this.#place(read, file, number);
    if (isUnstated) this.#problems.removed(read.link, file, number);
    this.#pending = read.what === 'document' ? this.#pending + line.bytes.length + 1 : 0;
    if (read.what !== 'document') this.#record(read, file, number);
  }

  /** True for a line without a fault, of which nothing else is needed: almost all are so, and are checked quickly. */
  #isUsual(line: Line): boolean {
    const { origin } = this.#files;
    const { seq } = this.#next;
    if (isOfRemovals(origin) || this.#anchors.has(seq)) return false;
    const document = this.#reader.skimDocument(line.bytes, origin, this.#next);
    if (document !== null) {
      this.#problems.endRun();
      this.#next = { ...this.#next, after: document };
      this.#pending += line.bytes.length + 1;
      return true;
    }
    const skimmed = this.#reader.skim(line.bytes, origin, this.#next);
    if (skimmed === null || skimmed.kind === 'admin') return false;
    const { hash, timestamp } = skimmed;
    this.#problems.endRun();
    this.#next = { seq: seq + 1, prev: hash, after: null };
    this.#pending = 0;
    this.#reached(seq, hash);
    this.#is(seq, timestamp);
    return true;
  }

  /** Compares the place of a line with that of the line before it. */
  #place(read: Exclude<Read, { what: 'fault' }>, file: string, number: number): void {
    const { link } = read;
    const { seq, prev, after } = this.#next;
    const id = read.what === 'record' ? read.record.decision_id : null;
    const say = (what: ProblemKind, message: string) =>
      this.#report(what, message, file, number, link.seq, id);
    const isRecord = link.document === null;
    if (link.origin !== this.#files.origin)
      say('origin_mismatch', `This record belongs to the chain ${printable(link.origin)}.`);
    else if (read.what === 'document' && !read.isNew)
      say(
        'record_repeated',
        `The shared document ${read.ref.slice(0, 16)} is in this segment more than once.`,
      );
    else if (link.seq < seq)
      say('record_repeated', `Found record ${link.seq} instead of ${seq}: repeated or out of order.`);
    else if (link.seq > seq)
      say(
        'records_missing',
        `Found record ${link.seq} instead of ${seq}: ${link.seq - seq} missing or out of order.`,
      );
    else if (!isLinked(this.#next, link)) {
      if (isRecord && (prev === null || link.prev_hash === prev))
        say(
          'shared_missing',
          link.after === null
            ? 'A shared document before this record was inserted: the record does not name it.'
            : after === null
              ? 'The shared documents that were written before this record are missing.'
              : 'A shared document that was written before this record is missing or was replaced.',
        );
      else if (isRecord)
        say(
          'prev_hash_mismatch',
          'Its prev_hash is not the hash of the record before it: one of the two was replaced.',
        );
      else say('prev_hash_mismatch', 'This shared document does not follow the line before it.');
    }
    this.#next = followedBy(this.#next, link);
  }

  #record(read: Exclude<Read, { what: 'fault' } | { what: 'document' }>, file: string, number: number): void {
    const { link } = read;
    this.#reached(link.seq, link.hash);
    const anchor = this.#anchors.get(link.seq);
    if (anchor !== undefined && anchor.hash !== link.hash)
      this.#report(
        'anchor_mismatch',
        `The anchor of ${anchor.at ?? 'unknown date'} names another hash for this record.`,
        file,
        number,
        link.seq,
        read.what === 'record' ? read.record.decision_id : null,
      );
    switch (read.what) {
      case 'removed':
        this.#removed++;
        if (!read.isCut)
          this.#report(
            'payload_removed',
            'The record cannot be read: the content of a shared document that it needs was removed. No removal does that.',
            file,
            number,
            link.seq,
          );
        return;
      case 'unreadable':
        this.#report(
          'shared_missing',
          `The record cannot be read: ${printable(read.detail)}.`,
          file,
          number,
          link.seq,
          read.decision_id,
        );
        return;
      default: {
        const { record } = read;
        if (record.kind === 'admin') collectPeerHeads(record, this.#found.peers);
        this.#found.removals.collect(record, !this.#isBeyondHead(link.seq));
        this.#is(link.seq, record.timestamp);
      }
    }
  }

  #reached(seq: number, hash: string): void {
    if (this.#first === 0) this.#first = seq;
    this.#records++;
    this.#hash = hash;
    this.#tree.append(seq, hash);
    if (seq === this.#head?.latest?.head.seq) this.#hashAtHead = hash;
  }

  /** A record whose content is there. */
  #is(seq: number, timestamp: string): void {
    this.#from ??= timestamp;
    this.#until = timestamp;
    if (this.#found.removals.isStated(this.#files.origin, seq)) this.#unremoved++;
  }

  #torn(bytes: number, file: string, number: number, last: boolean): void {
    const what = last && this.#beyondHead() ? 'torn_tail' : 'line_malformed';
    const message =
      what === 'torn_tail'
        ? `${bytes} bytes of a half-written record, left by a crash. The next start moves them to the quarantine directory.`
        : 'The line has no end.';
    this.#report(what, message, file, number, this.#next.seq);
    if (what === 'line_malformed') this.#next = { seq: this.#next.seq + 1, prev: null, after: null };
  }

  /** True if the head does not cover the next record yet. */
  #beyondHead(): boolean {
    return this.#isBeyondHead(this.#next.seq);
  }

  #isBeyondHead(seq: number): boolean {
    return seq > (this.#head?.latest?.head.seq ?? 0);
  }

  /** A slot may be read while it is written, so retry. A damaged slot stays damaged. */
  async #readHead(): Promise<void> {
    for (let tries = 0; tries < 5; tries++) {
      this.#head = readHead(headPath(this.#options.dir, this.#files.origin), this.#options.key);
      if (this.#head === null || !this.#head.damaged) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #checkHead(): OriginReport['head'] {
    this.#problems.endRun();
    const file = `${this.#files.origin}.head`;
    const say = (what: ProblemKind, message: string, seq: number | null = null) =>
      this.#report(what, message, file, null, seq);
    if (this.#head === null) {
      say('head_missing', 'The head of this chain is missing, so its length cannot be checked.');
      return 'none';
    }
    if (this.#head.damaged) say('head_damaged', 'The head of this chain was altered or only half written.');
    if (this.#head.latest === null) return 'none';
    const { head, signed } = this.#head.latest;
    if (head.origin !== this.#files.origin)
      say('head_mismatch', `The head belongs to the chain ${printable(head.origin)}.`);
    if (signed === 'wrong') say('head_signature_wrong', 'The head is not signed with the given key.');
    if (signed === 'no' && this.#options.key !== null)
      say('head_unsigned', 'The head is not signed, although a key was given.');
    const last = this.#next.seq - 1;
    if (head.seq > last)
      say(
        'tail_missing',
        `The chain reached ${head.seq} according to its head, but ends at ${last}.`,
        last + 1,
      );
    else if (head.seq > 0 && this.#first > 0 && head.seq >= this.#first && this.#hashAtHead !== head.hash)
      say('head_mismatch', `The head names another hash for record ${head.seq}.`, head.seq);
    return signed === 'yes' ? 'signed' : signed === 'unchecked' ? 'unchecked' : 'unsigned';
  }

  #report(
    what: ProblemKind,
    message: string,
    file: string | null,
    line: number | null,
    seq: number | null,
    decision_id: string | null = null,
  ): void {
    this.#problems.add({ what, message, origin: this.#files.origin, file, line, seq, decision_id });
  }
}

export const FAULTS = {
  line_malformed: 'This line is not a decision record.',
  hash_mismatch: 'This record was altered: its hash is not the hash of its content.',
  not_canonical:
    'This line is not the canonical form that Sluice writes, so its hash does not cover its content.',
} as const;

export const WITHOUT_RECORD =
  'The record that the shared documents at the end of the file were written for is not in the file.';

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
