/** `max_record` bounds the complete record, as exports and sinks have it: a line of a file that must be read again. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GENESIS } from '../../src/decision-log/journal/chain.ts';
import { leastBytes, lineBytes } from '../../src/decision-log/journal/copy.ts';
import { SegmentReader } from '../../src/decision-log/journal/reader.ts';
import { Sealer } from '../../src/decision-log/journal/sealer.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';
import { linesOf, openJournal, temporaryDirectory } from '../support/journals.ts';

const MAX_RECORD = 8192;

/** The records of a journal as complete lines. */
function completeLines(dir: string): string[] {
  const reader = new SegmentReader();
  return readdirSync(dir)
    .filter((f) => f.endsWith('.jsonl'))
    .sort()
    .flatMap((f) => {
      reader.begin();
      return linesOf(join(dir, f)).flatMap((line) => {
        const read = reader.read(Buffer.from(line));
        if (read.what === 'document') return [];
        if (read.what !== 'record') throw new Error(read.what);
        return [read.line()];
      });
    });
}

async function written(drafts: readonly DecisionRecordDraft[]): Promise<string[]> {
  const dir = temporaryDirectory();
  const journal = await openJournal(dir, { maxRecord: MAX_RECORD, instance: 'i'.repeat(50) });
  for (const d of drafts) await journal.append(d);
  await journal.close();
  return completeLines(dir);
}

const text = (n: number) => 'x'.repeat(n);
/** A draft whose input repeats the subject and the resource, and whose lists have the given lengths. */
const sized = fc
  .record({
    n: fc.nat(20),
    subject: fc.nat(3500),
    resource: fc.nat(3500),
    justification: fc.nat(2000),
    answers: fc.nat(120),
    // most records have few; many are longer than a record may be
    subjects: fc.oneof({ weight: 3, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.nat(1000) }),
    withheld: fc.nat(60),
  })
  .map((size): DecisionRecordDraft => {
    const base = draft(size.n);
    const subject = { ...base.subject!, properties: { ...base.subject!.properties, of: text(size.subject) } };
    const resource = { ...base.resource!, properties: { of: text(size.resource) } };
    const justification = text(size.justification);
    const context = { ...(base.input!['context'] as object), justification };
    return {
      ...base,
      subject,
      resource,
      justification,
      input: { ...base.input, subject, resource, context },
      disclosure: {
        ...base.disclosure!,
        answers: Array.from({ length: size.answers }, (_, i) => ({ count: i, flags: [`${i}`] }) as never),
        data_subjects: Array.from({ length: size.subjects }, (_, i) => `hmac:0011aabb:${i}`),
        withheld: Array.from({ length: size.withheld }, (_, i) => ({
          path: `/${i}`,
          do: 'drop',
          because: 'x',
          count: 1,
        })),
      },
    };
  });

describe('max_record', () => {
  test('bounds the complete lines, with what the input repeats and with the proof', async () => {
    let [whole, split] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(sized, { minLength: 1, maxLength: 3 }), async (drafts) => {
        const lines = await written(drafts);
        for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_RECORD);
        whole += lines.filter((line) => !line.includes('"pieces":')).length;
        split += lines.filter((line) => line.includes('"piece":1,')).length;
      }),
      { numRuns: 60 },
    );
    expect(Math.min(whole, split)).toBeGreaterThan(10);
  });

  test('is compared with a lower bound of the complete line and with upper bounds, the second of which is close', () => {
    const id = text(20_000);
    const repeated = (d: DecisionRecordDraft): DecisionRecordDraft => {
      const resource = { ...d.resource!, id };
      return {
        ...d,
        resource,
        input: { ...d.input, resource },
        disclosure: { ...d.disclosure!, data_subjects: [id] },
      };
    };
    fc.assert(
      fc.property(sized, fc.boolean(), (given, isRepeated) => {
        const d = isRepeated ? repeated(given) : given;
        const sealer = new Sealer();
        const reader = new SegmentReader();
        // The second record refers to documents that are not written again.
        for (const seq of [1, 2]) {
          const { bytes, atMost } = sealer.seal(d, { origin: 'i'.repeat(63), seq, prev_hash: GENESIS });
          const last = bytes
            .toString()
            .trimEnd()
            .split('\n')
            .map((line) => reader.read(Buffer.from(line)))
            .at(-1)!;
          if (last.what !== 'record') throw new Error(last.what);
          const size = Buffer.byteLength(last.line());
          expect(leastBytes(d)).toBeLessThanOrEqual(size);
          expect(atMost).toBeGreaterThanOrEqual(size);
          expect(lineBytes(d)).toBeGreaterThanOrEqual(size);
          expect(lineBytes(d)).toBeLessThanOrEqual(size + 400);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('does not split or shorten a record whose complete line is not longer', async () => {
    const [line] = await written([draft(1)]);
    const free = MAX_RECORD - Buffer.byteLength(line!) - 400;
    const given = draft(1, { labels: { of: text(free) } });
    const lines = await written([given]);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ labels: given.labels, input: given.input });
  });
});
