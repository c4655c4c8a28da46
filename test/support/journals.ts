/** Journals in temporary directories. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Journal, type JournalOptions } from '../../src/decision-log/journal/journal.ts';
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
