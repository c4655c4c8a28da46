/** What verifying a record costs, and what no way of doing it can save: each stage alone, over the lines of one segment, in turns. */
import { createHash, hash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BEGINNING, type Expected } from '../../src/decision-log/journal/chain.ts';
import { isShared } from '../../src/decision-log/journal/line.ts';
import { readLines } from '../../src/decision-log/journal/lines.ts';
import { SegmentReader } from '../../src/decision-log/journal/reader.ts';

const ROUNDS = 5;

/** Rows of a table. @param dir a journal with one chain, which begins at 1 */
export async function stages(dir: string): Promise<readonly string[]> {
  const file = readdirSync(dir)
    .sort()
    .find((name) => name.endsWith('.jsonl'))!;
  const lines: Buffer[] = [];
  for await (const batch of readLines(join(dir, file)))
    for (const { bytes, complete } of batch) if (complete) lines.push(Buffer.from(bytes));
  const origin = file.split('.')[0]!;
  const records = lines.filter((line) => !isShared(line)).length;
  const read = (isMade: boolean) => () => {
    const reader = new SegmentReader();
    for (const line of lines) {
      const read = reader.read(line);
      if (read.what === 'fault' || (isMade && read.what === 'record' && read.record.timestamp === ''))
        throw new Error(read.what);
    }
  };
  const quickly = () => {
    const reader = new SegmentReader();
    let next: Expected = BEGINNING;
    for (const line of lines) {
      const after = reader.skimDocument(line, origin, next);
      if (after !== null) {
        next = { ...next, after };
        continue;
      }
      const skimmed = reader.skim(line, origin, next);
      if (skimmed === null) throw new Error('a line is not usual');
      next = { seq: next.seq + 1, prev: skimmed.hash, after: null };
    }
  };
  const each = (work: (line: Buffer) => unknown) => () => lines.forEach(work);
  const HEAD = 330;
  const all: readonly (readonly [string, () => void])[] = [
    ['read, with the record made (as before)', read(true)],
    ['read, no record made: parse, write again, compare', read(false)],
    ['checked in the bytes (as now)', quickly],
    [
      'alone: two `hash`',
      each((l) => [hash('sha256', l.subarray(0, HEAD)), hash('sha256', l.subarray(HEAD))]),
    ],
    [
      'alone: two `createHash`',
      each((l) =>
        [l.subarray(0, HEAD), l.subarray(HEAD)].map((part) =>
          createHash('sha256').update(part).digest('hex'),
        ),
      ),
    ],
    ['alone: `JSON.parse`', each((l) => JSON.parse(l.toString()))],
    [
      'alone: a loop over the bytes',
      each((l) => {
        let sum = 0;
        for (let i = 0; i < l.length; i++) sum ^= l[i]!;
        return sum;
      }),
    ],
  ];
  const times = all.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++)
    for (const [i, [, work]] of all.entries()) {
      const cpu = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(cpu);
      // The first round compiles.
      if (round > 0) times[i]!.push((user + system) / records);
    }
  return all.map(([name], i) => `| ${name} | ${times[i]!.sort((a, b) => a - b)[ROUNDS >> 1]!.toFixed(2)} |`);
}
