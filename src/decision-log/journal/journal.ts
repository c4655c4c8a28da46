/**
 * The write-ahead journal of decision records, with group commit: appends that arrive during a write to disk share the next
 * write. A busy sidecar needs one flush for hundreds of requests, and an idle one flushes at once.
 *
 * If a write or flush fails, all appends of that batch are rejected, the segment is truncated to the acknowledged size, and
 * every further append is rejected until a probe can write again. The same flush is not retried: after a failed fsync
 * Linux forgets which pages were dirty, so a second success proves nothing (see "fsyncgate").
 *
 * The file is long because append, acknowledgement and recovery are one state machine.
 */
import { statfs } from 'node:fs/promises';
import { SluiceError } from '../../errors.ts';
import { type Clock, millis, systemClock } from '../../observability/clock.ts';
import type { Logger } from '../../observability/logger.ts';
import type { DecisionRecord, DecisionRecordDraft } from '../../model/record.ts';
import { leastBytes, lineBytes } from './copy.ts';
import { Pages, contiguous } from './pages.ts';
import { errno, headPath, lockPath, makeDirectory, syncDirectory } from './directory.ts';
import { HeadWriter } from './head.ts';
import { type Lock, tryLock } from './lock.ts';
import { type AcquiredOrigin, acquireOrigin } from './origin.ts';
import type { Tip } from './recover.ts';
import { type Sealed, Sealer } from './sealer.ts';
import { Segment } from './segment.ts';
import { split } from './split.ts';

export interface JournalOptions {
  readonly dir: string;
  /** first part of the origin's name, see `instanceName` */
  readonly instance: string;
  readonly durability: 'strict' | 'interval';
  /** milliseconds between flushes when `interval` */
  readonly syncInterval: number;
  /** bytes; a segment that has reached this size is followed by a new one */
  readonly segmentSize: number;
  /** milliseconds; a segment whose first record is older is followed by a new one, also if no record comes */
  readonly segmentAge: number;
  /** bytes of a complete line (`copy.ts`); a longer record is split */
  readonly maxRecord: number;
  /** bytes that must stay free on the file system */
  readonly minFree: number;
  /** signs the head */
  readonly key: Buffer | null;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** milliseconds between checks of free space and of the segment's age, and between attempts to resume after a failure */
  readonly probeInterval?: number;
  readonly hooks?: JournalHooks;
}

export interface JournalHooks {
  /** after each commit: its records, its bytes, its duration, and the seq that is now durable */
  committed?(commit: { records: number; bytes: number; micros: number; seq: number }): void;
  failed?(fault: SluiceError): void;
  recovered?(): void;
}

interface Pending {
  readonly record: DecisionRecord;
  /** the record's line, after the lines of shared documents that were written for it */
  readonly bytes: Buffer;
  /** true: the record begins a segment */
  readonly begins: boolean;
  resolve(record: DecisionRecord): void;
  reject(fault: SluiceError): void;
}

/** Maximum bytes of one write, so that a commit stays short. */
const BATCH = 4 << 20;
/** Maximum time to collect a batch. */
const GATHER_MS = 1;
/** Maximum bytes of queued records; beyond it the disk is too slow and requests are rejected. */
const BACKLOG = 64 << 20;
/** Readers keep the shared documents of a segment in memory, so a segment ends when it has this many bytes of them. */
const DOCUMENTS = 8 << 20;
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export class Journal {
  readonly origin: string;
  readonly dir: string;
  readonly acquired: AcquiredOrigin;
  readonly #o: JournalOptions;
  #head: HeadWriter;
  #lock: Lock;
  readonly #segment: Segment;
  readonly #sealer = new Sealer();
  /** bytes of the segment that the next record is written to, with the records in the queue */
  #sealedSize: number;
  /** when the first record of that segment came, on the monotonic clock; null: it has none */
  #since: number | null;
  readonly #clock: Clock;
  /** the next record begins a segment */
  #begins = false;
  /** the newest record in the chain; `#acknowledged`: the newest whose append has resolved */
  #tip: Tip;
  #acknowledged: Tip;
  /** acknowledged and flushed; the same as `#acknowledged` when strict */
  #flushed: Tip;
  #queue: Pending[] = [];
  readonly #pages = new Pages();
  #backlog = 0;
  #fault: SluiceError | null = null;
  #pumping: Promise<void> | null = null;
  /** resolves once the newest batch is in the head and acknowledged */
  #acknowledging: Promise<void> = Promise.resolve();
  #flushing: Promise<void> | null = null;
  #headSynced: Tip;
  #freeBudget = 0;
  #probing: Promise<void> | null = null;
  readonly #timers: NodeJS.Timeout[] = [];
  #closed = false;

  /** @throws SluiceError `journal_unwritable` if the directory cannot be written, `journal_full` if the disk is full */
  static async open(options: JournalOptions): Promise<Journal> {
    let acquired: AcquiredOrigin;
    try {
      makeDirectory(options.dir);
      acquired = await acquireOrigin(options.dir, options.instance, options.key);
    } catch (e) {
      throw unwritable(options.dir, e);
    }
    let journal: Journal | null = null;
    try {
      journal = new Journal(options, acquired);
      syncDirectory(options.dir);
      await journal.#head.sync(journal.#headAt(acquired.tip));
      await journal.#checkStorage();
      journal.#watch();
      return journal;
    } catch (e) {
      if (journal !== null) journal.#head.close();
      acquired.lock.release();
      throw unwritable(options.dir, e);
    }
  }

  private constructor(options: JournalOptions, acquired: AcquiredOrigin) {
    this.#o = options;
    this.dir = options.dir;
    this.origin = acquired.origin;
    this.acquired = acquired;
    this.#tip = this.#acknowledged = this.#flushed = this.#headSynced = acquired.tip;
    const strict = options.durability === 'strict';
    this.#segment = new Segment(options.dir, acquired.origin, strict, acquired.segment);
    this.#sealedSize = acquired.segment?.size ?? 0;
    this.#clock = options.clock ?? systemClock;
    this.#since = this.#ageOf(acquired.segment);
    for (const document of acquired.segment?.documents ?? []) this.#sealer.restore(document);
    this.#lock = acquired.lock;
    this.#head = this.#openHead();
  }

  /** The newest record that is acknowledged. */
  get tip(): Tip {
    return this.#acknowledged;
  }

  /** Records chained but not acknowledged. */
  get waiting(): number {
    return this.#tip.seq - this.#acknowledged.seq;
  }

  get fault(): SluiceError | null {
    return this.#fault;
  }

  /**
   * Resolves once the record is durable. A record longer than `maxRecord` is split, and the last piece is returned.
   * Records enter the chain in the order of the calls.
   */
  async append(draft: DecisionRecordDraft): Promise<DecisionRecord> {
    if (this.#fault !== null) throw this.#fault;
    if (this.#closed) throw closed();
    if (this.#backlog > BACKLOG)
      throw new SluiceError(
        'overloaded',
        `More than ${BACKLOG >> 20} MiB of decision records wait to be written to ${this.dir}: the disk is too slow.`,
      );
    this.#rotate();
    const { maxRecord } = this.#o;
    if (leastBytes(draft) <= maxRecord) {
      const sealed = this.#seal(draft);
      if (sealed.atMost <= maxRecord || lineBytes(draft) <= maxRecord) return this.#enqueue(sealed);
      this.#sealer.undo();
      this.#pages.undo(sealed.bytes);
    }
    const pieces = split(draft, maxRecord);
    const records = await Promise.all(pieces.map((piece) => this.#enqueue(this.#seal(piece))));
    return records.at(-1)!;
  }

  /** Begins a segment with the next record if this one is full. Its shared documents are written again then. */
  #rotate(): void {
    const isFull = this.#sealedSize >= this.#o.segmentSize || this.#sealer.documentBytes >= DOCUMENTS;
    if (isFull || this.#isOld()) this.#begin();
  }

  #isOld(): boolean {
    return this.#since !== null && millis(this.#clock) - this.#since >= this.#o.segmentAge;
  }

  /** A continued segment is as old as its first record. A clock that was set back since makes it new. */
  #ageOf(segment: AcquiredOrigin['segment']): number | null {
    const now = millis(this.#clock);
    if (segment === null || segment.size === 0) return null;
    const first = segment.since === null ? Number.NaN : Date.parse(segment.since);
    return Number.isNaN(first) ? now : now - Math.max(0, this.#clock.now().getTime() - first);
  }

  /** The next record begins a segment, unless this one has no record. */
  #begin(): void {
    if (this.#sealedSize > 0) this.#begins = true;
    this.#sealedSize = 0;
    this.#since = null;
    this.#sealer.reset();
  }

  #seal(draft: DecisionRecordDraft): Sealed {
    const link = { origin: this.origin, seq: this.#tip.seq + 1, prev_hash: this.#tip.hash };
    return this.#sealer.seal(draft, link, this.#pages);
  }

  #enqueue({ record, bytes }: Sealed): Promise<DecisionRecord> {
    return new Promise((resolve, reject) => {
      this.#tip = { seq: record.seq, hash: record.hash };
      this.#backlog += bytes.length;
      this.#sealedSize += bytes.length;
      this.#since ??= millis(this.#clock);
      this.#queue.push({ record, bytes, begins: this.#begins, resolve, reject });
      this.#begins = false;
      this.#pumping ??= this.#pump();
    });
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0 && this.#fault === null) {
      await this.#gather();
      const batch = this.#take();
      if (batch.length === 0) continue;
      const began = performance.now();
      try {
        const bytes = await this.#commit(batch);
        const micros = (performance.now() - began) * 1000;
        if (this.#o.durability === 'interval') this.#acknowledge(batch, bytes, micros);
        // The next batch is written in parallel with the head. A record is acknowledged only after the head covers it.
        else
          this.#acknowledging = this.#head
            .put(this.#headAt(this.#acknowledged))
            .then(() => this.#acknowledge(batch, bytes, micros));
      } catch (e) {
        this.#fail(e, batch);
      }
    }
    this.#pumping = null;
    if (this.#queue.length > 0 && this.#fault === null) this.#pumping = this.#pump();
  }

  /** Ends a segment that is old while nothing is written, so that what is in it can be removed when its time has come. */
  #endOld(): void {
    if (!this.#isOld() || this.#pumping !== null || this.#fault !== null) return;
    this.#begin();
    this.#begins = false;
    this.#pumping = this.#segment
      .begin(this.#tip.seq + 1)
      .catch((e: unknown) => this.#fail(e, []))
      .then(() => this.#pump());
  }

  #acknowledge(batch: readonly Pending[], bytes: number, micros: number): void {
    for (const pending of batch) pending.resolve(pending.record);
    this.#o.hooks?.committed?.({ records: batch.length, bytes, micros, seq: batch.at(-1)!.record.seq });
  }

  /**
   * Waits while every turn of the event loop adds records, for at most `GATHER_MS`: writing two records costs the disk as
   * much as writing twenty.
   */
  async #gather(): Promise<void> {
    const until = performance.now() + GATHER_MS;
    let before: number;
    do {
      before = this.#queue.length;
      await new Promise(setImmediate);
    } while (this.#queue.length > before && performance.now() < until);
  }

  #take(): Pending[] {
    let size = 0;
    let n = 0;
    while (n < this.#queue.length) {
      const { bytes, begins } = this.#queue[n]!;
      // A batch is in one segment.
      if (n > 0 && (begins || size + bytes.length > BATCH)) break;
      size += bytes.length;
      n++;
    }
    this.#backlog -= size;
    return n === this.#queue.length ? this.#queue.splice(0) : this.#queue.splice(0, n);
  }

  async #commit(batch: readonly Pending[]): Promise<number> {
    const bytes = contiguous(batch.map((pending) => pending.bytes));
    const page = this.#queue.length === 0 ? this.#pages.detach() : null;
    this.#freeBudget -= bytes.length;
    if (this.#freeBudget < 0) await this.#checkStorage();
    if (this.#fault !== null) throw this.#fault;
    const [first] = batch;
    await this.#segment.append(bytes, first!.record.seq, first!.begins);
    const last = batch.at(-1)!.record;
    const tip = { seq: last.seq, hash: last.hash };
    if (this.#o.durability === 'strict') this.#flushed = tip;
    this.#segment.acknowledge(bytes.length);
    this.#acknowledged = tip;
    if (page !== null) this.#pages.reuse(page);
    return bytes.length;
  }

  #fail(cause: unknown, batch: readonly Pending[]): void {
    const fault = cause instanceof SluiceError ? cause : failure(this.dir, cause);
    const first = this.#fault === null;
    this.#fault = fault;
    this.#tip = this.#acknowledged;
    const refused = [...batch, ...this.#queue.splice(0)];
    this.#backlog = 0;
    for (const pending of refused) pending.reject(fault);
    if (first) {
      this.#o.logger.error({ err: fault, origin: this.origin }, 'the journal refuses records');
      this.#o.hooks?.failed?.(fault);
    }
  }

  /** Checks the free space, and that the paths still name the open files. */
  async #checkStorage(): Promise<void> {
    const { bavail, bsize } = await statfs(this.dir);
    const free = bavail * bsize;
    // The next check comes before half of the remaining space is used.
    this.#freeBudget = Math.max(0, Math.floor((free - this.#o.minFree) / 2));
    if (free < this.#o.minFree) {
      const fault = new SluiceError(
        'journal_full',
        `The file system of ${this.dir} has ${mib(free)} MiB free, less than decision_log.journal.min_free (${mib(this.#o.minFree)} MiB). Free some space.`,
      );
      if (this.#fault === null) this.#fail(fault, []);
      return;
    }
    this.#checkPlaces();
  }

  #checkPlaces(): void {
    this.#segment.checkPlace();
    if (!this.#head.inPlace() || !this.#lock.inPlace())
      throw new SluiceError(
        'journal_unwritable',
        `The head or the lock of ${this.origin} in ${this.dir} was removed or replaced while in use. New ones are created; run \`sluice decisions verify\`.`,
      );
  }

  #openHead(): HeadWriter {
    return new HeadWriter(headPath(this.dir, this.origin), this.#headAt(this.#flushed), this.#o.key);
  }

  /**
   * Recreates the directory, lock and head if their paths no longer name the open files. The chain continues with its next
   * seq, so `verify` reports records that are gone.
   */
  #reopen(): void {
    makeDirectory(this.dir);
    if (!this.#lock.inPlace()) {
      const lock = tryLock(lockPath(this.dir, this.origin));
      if (lock === null)
        throw new SluiceError(
          'journal_unwritable',
          `Another process appends to the chain ${this.origin} in ${this.dir}, which was replaced while in use. Restart this one.`,
        );
      this.#lock.release();
      this.#lock = lock;
    }
    if (!this.#head.inPlace()) {
      const head = this.#openHead();
      this.#head.close();
      this.#head = head;
    }
    syncDirectory(this.dir);
  }

  #watch(): void {
    const every = this.#o.probeInterval ?? 1000;
    this.#timers.push(
      setInterval(() => {
        this.#probing ??= this.#probe().finally(() => {
          this.#probing = null;
        });
      }, every).unref(),
    );
    if (this.#o.durability === 'interval')
      this.#timers.push(setInterval(() => void this.#flushNow(), this.#o.syncInterval).unref());
  }

  async #probe(): Promise<void> {
    if (this.#pumping !== null && this.#fault !== null) return;
    try {
      if (this.#fault !== null) return await this.#resume();
      await this.#checkStorage();
      this.#endOld();
      if (this.#headSynced.seq !== this.#flushed.seq) {
        const tip = this.#flushed;
        await this.#head.sync(this.#headAt(tip));
        this.#headSynced = tip;
      }
    } catch (e) {
      if (!this.#closed) this.#fail(e, []);
    }
  }

  /** Truncates what was not acknowledged, and accepts records again after a durable write has succeeded. */
  async #resume(): Promise<void> {
    this.#reopen();
    const { bavail, bsize } = await statfs(this.dir);
    if (bavail * bsize < this.#o.minFree) return;
    await this.#segment.cut();
    await this.#head.sync(this.#headAt(this.#flushed));
    this.#freeBudget = 0;
    this.#tip = this.#acknowledged;
    // Which shared documents the segment has is not known: those in refused lines were cut off. So it is not continued.
    this.#sealedSize = this.#segment.size;
    this.#begins = false;
    this.#begin();
    this.#fault = null;
    this.#o.logger.info({ origin: this.origin }, 'the journal accepts records again');
    this.#o.hooks?.recovered?.();
  }

  #flushNow(): Promise<void> {
    if (this.#flushing !== null) return this.#flushing;
    if (this.#flushed === this.#acknowledged || this.#fault !== null) return Promise.resolve();
    const [fd, tip] = [this.#segment.descriptor, this.#acknowledged];
    this.#flushing = this.#segment
      .flush()
      .then(
        () => {
          this.#flushed = tip;
          void this.#head.put(this.#headAt(tip));
        },
        // A failure does not count if a rotation has flushed and closed this segment meanwhile.
        (e) => (this.#segment.descriptor === fd ? this.#fail(e, []) : undefined),
      )
      .finally(() => {
        this.#flushing = null;
      });
    return this.#flushing;
  }

  #headAt(tip: Tip): { origin: string; seq: number; hash: string; at: string } {
    return { origin: this.origin, seq: tip.seq, hash: tip.hash, at: new Date().toISOString() };
  }

  /** At close nothing is recreated: the files were in place when their records were acknowledged. */
  #warnIfMisplaced(): void {
    try {
      this.#checkPlaces();
    } catch (err) {
      this.#o.logger.error(
        { err, origin: this.origin },
        'files of the journal were removed or replaced before it was closed',
      );
    }
  }

  /** Makes all records and the head durable. Further appends are rejected. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    while (this.#pumping !== null) await this.#pumping;
    await this.#acknowledging;
    await this.#probing;
    await this.#flushing;
    const clean = this.#fault === null;
    this.#fault ??= closed();
    try {
      if (clean) {
        this.#warnIfMisplaced();
        await this.#segment.flush();
        this.#flushed = this.#acknowledged;
      } else await this.#segment.cut();
      await this.#head.sync(this.#headAt(this.#flushed));
    } finally {
      await this.#segment.close().catch(() => undefined);
      this.#head.close();
      this.#lock.release();
    }
  }
}

const closed = (): SluiceError => new SluiceError('journal_unwritable', 'The journal is closed.');

const mib = (bytes: number): number => Math.round(bytes / (1 << 20));

const failure = (dir: string, cause: unknown): SluiceError =>
  FULL.has(errno(cause))
    ? new SluiceError('journal_full', {
        message: `Decision records cannot be written to ${dir}: no space is left (${errno(cause)}). Free some space.`,
        cause,
      })
    : new SluiceError('journal_unwritable', {
        message: `Decision records cannot be written to ${dir} (${errno(cause)}). Nothing is released until they can.`,
        cause,
      });

const unwritable = (dir: string, cause: unknown): SluiceError =>
  cause instanceof SluiceError
    ? cause
    : FULL.has(errno(cause))
      ? failure(dir, cause)
      : new SluiceError('journal_unwritable', {
          message: `The journal directory ${dir} cannot be written (${errno(cause)}). Sluice does not start if it cannot record decisions. Set decision_log.journal.dir to a directory that this user may write.`,
          cause,
        });
