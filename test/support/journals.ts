/** Journals in temporary directories. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Journal, type JournalOptions } from '../../src/decision-log/journal/journal.ts';
import { SegmentReader } from '../../src/decision-log/journal/reader.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from './decision-records.ts';

export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const openJournal = (dir: string, over: Partial<JournalOptions> = {}): Promise<Journal> =>
  Journal.open({
    dir,
    instance: 'test',
    durability: 'strict',
    syncInterval: 20,
    segmentSize: 64 << 20,
    segmentAge: Number.POSITIVE_INFINITY,
    minFree: 64 << 10,
    maxRecord: 256 << 10,
    key: null,
    logger: silentLogger,
    probeInterval: 50,
    ...over,
  });

/** A closed journal of `n` records. Returns its origin. */
export async function writeJournal(
  dir: string,
  n: number,
  over: Partial<JournalOptions> = {},
): Promise<string> {
  const journal = await openJournal(dir, over);
  await Promise.all(Array.from({ length: n }, (_, i) => journal.append(draft(i))));
  await journal.close();
  return journal.origin;
}

/** The lines of a segment that end with a newline, and of them those of records. */
export const linesOf = (segment: string): string[] => readFileSync(segment, 'utf8').split('\n').slice(0, -1);
export const isRecord = (line: string): boolean => !line.includes('","d":"');

/** The records of the segments in a directory, by file name. Lines that cannot be read are left out. */
export function recordsOf(dir: string, files = readdirSync(dir)): DecisionRecord[] {
  const reader = new SegmentReader();
  return files
    .filter((f) => f.endsWith('.jsonl'))
    .sort()
    .flatMap((f) => {
      reader.begin();
      return linesOf(join(dir, f)).flatMap((line) => {
        const read = reader.read(Buffer.from(line));
        return read.what === 'record' ? [read.record] : [];
      });
    });
}
