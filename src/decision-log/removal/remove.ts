/**
 * Removes the content of records from a journal whose chains stay valid. The order makes a kill at any moment safe: the statement (statement.ts) is durable, the
 * index forgets the records, and then each segment is replaced (segment.ts). A removal that was interrupted is completed by the same command.
 */
import { SluiceError } from '../../errors.ts';
import type { DecisionRecordDraft, DecisionRecord } from '../../model/record.ts';
import {
  listOrigins,
  lockPath,
  type OriginFiles,
  type Segment,
  segmentName,
  syncDirectory,
} from '../journal/directory.ts';
import { lockArchive } from '../journal/archive.ts';
import { readLines } from '../journal/lines.ts';
import { forgetOutgoing } from '../journal/outgoing.ts';
import { type Lock, tryLock } from '../journal/lock.ts';
import { isVersion2 } from '../journal/line.ts';
import { SegmentReader } from '../journal/reader.ts';
import { verify } from '../verify/verify.ts';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Choice } from './choice.ts';
import { deleteDrafts, removePayloads } from './segment.ts';
import {
  isOfRemovals,
  type Range,
  Ranges,
  type Removal,
  type Statement,
  statementDraft,
  union,
} from './statement.ts';

export interface RemovalOptions {
  /** of the journal */
  readonly dir: string;
  /** `decision_log.journal.key` */
  readonly key: Buffer | null;
  readonly isDryRun: boolean;
  readonly maxRecord: number;
  choose(record: DecisionRecord): Choice;
  readonly removal: Omit<Removal, 'held'>;
  /** seq up to which every index and sink has the records of a chain */
  copied(origin: string): Promise<number>;
  /** appends the statements to a chain of their own, and returns when they are durable */
  state(drafts: readonly DecisionRecordDraft[]): Promise<void>;
  /** deletes copies of the records from the index */
  forget(origin: string, ranges: readonly Range[]): Promise<void>;
  progress?(bytes: number, total: number): void;
}

export interface RemovalReport {
  /** what was removed, or would be */
  readonly chains: readonly Statement[];
  readonly records: number;
  /** basis of a hold → records that are kept because of it */
  readonly held: Readonly<Record<string, number>>;
  /** records that are kept because they concern other data subjects, too */
  readonly shared: number;
  /** records of version 1, whose payload the hash covers */
  readonly fixed: number;
  /** segments that were not looked at: a process writes them, or an index, a sink or a checkpoint does not have their records yet */
  readonly open: readonly string[];
  readonly uncopied: readonly string[];
}

/**
 * @throws SluiceError `chain_broken` if the journal does not verify (nothing is removed then); `journal_unwritable`, also while another process removes or
 *   archives
 */
export async function remove(options: RemovalOptions): Promise<RemovalReport> {
  const lock = lockArchive(options.dir);
  const chains: Lock[] = [];
  try {
    deleteDrafts(options.dir);
    forgetOutgoing(options.dir);
    const report = await verify({ dir: options.dir, key: options.key });
    if (!report.ok)
      throw new SluiceError(
        'chain_broken',
        'The journal does not verify, so nothing was removed. Run `sluice decisions verify` and find out why first.',
      );
    const plan = await planned(options, chains);
    if (!options.isDryRun && plan.report.records > 0) await carryOut(options, plan);
    return plan.report;
  } finally {
    for (const chain of chains) chain.release();
    lock.release();
  }
}

interface Chosen {
  readonly origin: string;
  readonly segment: Segment;
  readonly ranges: readonly Range[];
  /** name of the segment to begin, so that nothing is appended to this one */
  readonly next: string | null;
}

interface Plan {
  readonly chosen: readonly Chosen[];
  readonly report: RemovalReport;
}

/** @param locks receives those of the chains whose last segment may be written again: nobody may continue them meanwhile */
async function planned(options: RemovalOptions, locks: Lock[]): Promise<Plan> {
  const { dir } = options;
  const chosen: Chosen[] = [];
  const counts: Counts = { held: new Map(), shared: 0, fixed: 0 };
  const open: string[] = [];
  const uncopied: string[] = [];
  const origins = (await listOrigins(dir)).filter(({ origin }) => !isOfRemovals(origin));
  const total = origins.reduce((sum, { segments }) => sum + segments.reduce((n, { size }) => n + size, 0), 0);
  let done = 0;
  for (const { origin } of origins) {
    const lock = tryLock(lockPath(dir, origin));
    if (lock !== null) locks.push(lock);
    // Listed again: until now its process may have written.
    const { segments } = (await listOrigins(dir)).find((files) => files.origin === origin) as OriginFiles;
    const newest = segments.findLastIndex(({ size }) => size > 0);
    const copied = await options.copied(origin);
    for (const [i, segment] of segments.slice(0, newest + 1).entries()) {
      // A process has ended a segment if it has begun the next one, even if that has no record yet.
      if (i === segments.length - 1 && lock === null) open.push(segment.file);
      else {
        const found = await search(segment, options.choose);
        if (found.last > copied) {
          uncopied.push(segment.file);
          break;
        }
        count(counts, found.counts);
        const next = i === segments.length - 1 ? segmentName(origin, found.last + 1) : null;
        if (found.ranges.length > 0) chosen.push({ origin, segment, ranges: found.ranges, next });
      }
      done += segment.size;
      options.progress?.(Math.min(done, total), total);
    }
  }
  const chains = [...new Set(chosen.map(({ origin }) => origin))].map((origin): Statement => {
    const ranges = union(chosen.filter((c) => c.origin === origin).map((c) => c.ranges));
    return { origin, ranges, records: ranges.reduce((n, [first, last]) => n + last - first + 1, 0) };
  });
  const { held, shared, fixed } = counts;
  const records = chains.reduce((n, chain) => n + chain.records, 0);
  return {
    chosen,
    report: { chains, records, held: Object.fromEntries(held), shared, fixed, open, uncopied },
  };
}

interface Counts {
  readonly held: Map<string, number>;
  shared: number;
  fixed: number;
}

function count(sum: Counts, { held, shared, fixed }: Counts): void {
  for (const [basis, n] of held) sum.held.set(basis, (sum.held.get(basis) ?? 0) + n);
  sum.shared += shared;
  sum.fixed += fixed;
}

/** @returns last: seq of the last record */
async function search(
  segment: Segment,
  choose: RemovalOptions['choose'],
): Promise<{ readonly last: number; readonly ranges: readonly Range[]; readonly counts: Counts }> {
  const reader = new SegmentReader();
  const ranges = new Ranges();
  const counts: Counts = { held: new Map(), shared: 0, fixed: 0 };
  let last = 0;
  for await (const lines of readLines(segment.path)) {
    for (const { bytes } of lines) {
      const read = reader.read(bytes);
      if (read.what === 'fault' || read.what === 'document') continue;
      last = read.link.seq;
      if (read.what !== 'record') continue;
      const choice = choose(read.record);
      if (choice === 'remove' && isVersion2(bytes)) ranges.add(last);
      else if (choice === 'remove') counts.fixed++;
      else if (choice === 'shared') counts.shared++;
      else if (choice !== 'stay') counts.held.set(choice.held, (counts.held.get(choice.held) ?? 0) + 1);
    }
  }
  return { last, ranges: ranges.list, counts };
}

async function carryOut(options: RemovalOptions, { chosen, report }: Plan): Promise<void> {
  const { dir, removal } = options;
  const statements = report.chains.flatMap((chain) => parts(chain, options.maxRecord));
  await options.state(
    statements.map((statement, i) =>
      statementDraft({ ...removal, held: report.held }, statement, {
        number: i + 1,
        last: i === statements.length - 1,
      }),
    ),
  );
  for (const { origin, ranges } of report.chains) await options.forget(origin, ranges);
  for (const { segment, ranges, next } of chosen) {
    // A position in the segment, of an index or a sink, must not become one in its middle when the chain is continued.
    if (next !== null) begin(dir, next);
    await removePayloads(dir, segment, ranges);
  }
}

/** bytes of a range in a record, at most, and the part of a record that they may take */
const RANGE_BYTES = 34;
const SHARE = 4;
const MOST_RANGES = 5000;

function parts({ origin, ranges }: Statement, maxRecord: number): readonly Statement[] {
  const size = Math.max(1, Math.min(MOST_RANGES, Math.floor(maxRecord / SHARE / RANGE_BYTES)));
  const found: Statement[] = [];
  for (let i = 0; i < ranges.length; i += size) {
    const some = ranges.slice(i, i + size);
    found.push({ origin, ranges: some, records: some.reduce((n, [first, last]) => n + last - first + 1, 0) });
  }
  return found;
}

/** Creates an empty segment. */
function begin(dir: string, name: string): void {
  const fd = openSync(join(dir, name), 'a', 0o640);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncDirectory(dir);
}
