/** `skim` accepts only what `read` accepts, and everything usual: so a journal verifies as before, and quickly. */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BEGINNING, type Expected, followedBy, isLinked } from '../../src/decision-log/journal/chain.ts';
import { cut } from '../../src/decision-log/journal/line.ts';
import { singleLine } from '../../src/decision-log/journal/pages.ts';
import { type Read, SegmentReader } from '../../src/decision-log/journal/reader.ts';
import { Sealer } from '../../src/decision-log/journal/sealer.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';

const ORIGIN = 'a-00000000';
const HEAD =
  /^(\{(?:"a":"\w{64}",)?"c":")\w{64}("(?:,"d":"\w+")?,"o":"[^"]+","p":"\w{64}","s":\d+,"v":2),"hash":"\w{64}"(,"payload":.*)$/s;

function sealed(drafts: readonly DecisionRecordDraft[]): Buffer[] {
  const sealer = new Sealer();
  let prev_hash = BEGINNING.prev!;
  return drafts.flatMap((each, i) => {
    const { record, bytes } = sealer.seal(each, { origin: ORIGIN, seq: i + 1, prev_hash }, singleLine());
    prev_hash = record.hash;
    return linesIn(bytes);
  });
}

const linesIn = (bytes: Buffer): Buffer[] =>
  bytes
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => Buffer.from(line, 'latin1'));

/** The line with the payload that `change` returns, and both hashes as they must be for it. */
function resealed(line: Buffer, change: (body: string) => string): Buffer {
  const [, left, right, body] = HEAD.exec(line.toString('latin1'))!;
  const changed = change(body!);
  const commitment = sha256(`{${changed.slice(1)}`);
  const head = `${left}${commitment}${right}`;
  return Buffer.from(`${head},"hash":"${sha256(`${head}}`)}"${changed}`, 'latin1');
}

const sha256 = (latin1: string): string => hash('sha256', Buffer.from(latin1, 'latin1'), 'hex');

/** Reads the last line after the others by both ways. */
function both(before: readonly Buffer[], line: Buffer) {
  const reader = new SegmentReader();
  let next: Expected = BEGINNING;
  for (const each of before) {
    const read = reader.read(each);
    if (read.what === 'fault') throw new Error(read.fault);
    next = followedBy(next, read.link);
  }
  const skimmed = reader.skim(line, ORIGIN, next);
  const after = Buffer.from(line);
  const read = reader.read(line);
  return { next, skimmed, read, after };
}

function expectAlike({ next, skimmed, read }: ReturnType<typeof both>): void {
  if (skimmed === null) return;
  expect(read.what).toBe('record');
  const { link, record } = read as Extract<Read, { what: 'record' }>;
  expect(isLinked(next, link) && link.origin === ORIGIN && link.seq === next.seq).toBe(true);
  expect(skimmed).toEqual({ hash: link.hash, kind: record.kind, timestamp: record.timestamp });
}

const records = [
  draft(1),
  draft(2, { justification: '工单 8812, “加急” \u2028 \u{20000} \\ " \n \u0001' }),
  draft(3, { disclosure: null, response: null, resource: null }),
  draft(4, { labels: { site: '上海', '10': 'a', '2': 'b' }, tier: 1 }),
];
const lines = sealed(records);
const ends = lines.flatMap((line, i) => (line.includes('"decision_id"') ? [i] : []));

/** Pieces of JSON that are not canonical, not usual, or not JSON. */
const piece = fc.constantFrom(
  ' ',
  '1.0',
  '-0',
  '01',
  '1e3',
  '0.5',
  '-7',
  '12345678901234567890',
  '""',
  '"\\u0041"',
  '"\\/"',
  '"\\u001F"',
  '"\\u001f"',
  '"\\n"',
  '\xff',
  '\xc3',
  '\xed\xa0\x80',
  '\xe6\x9d\x8e',
  '\xf0\xa0\x80\x80',
  '\xc0\x80',
  '\x00',
  '{}',
  '[]',
  '{"b":1,"a":2}',
  '{"a":1,"a":1}',
  '{"":1}',
  '{"a":1,"ab":2}',
  'null',
  'true',
  ',',
  ':',
  '[',
  ']',
  '{',
  '}',
  '"',
  '\\',
  '"a":1,',
  '"record":{},',
  '"__proto__":1,',
  '[['.repeat(20),
); // prettier-ignore

describe('skim', () => {
  test('accepts what the journal writes', () => {
    for (const end of ends) {
      const { skimmed, read } = both(lines.slice(0, end), lines[end]!);
      expect(skimmed, lines[end]!.toString()).not.toBeNull();
      expectAlike({ ...both(lines.slice(0, end), lines[end]!), skimmed, read });
    }
  });

  test('accepts only what `read` accepts, whatever stands in a payload with the right hashes', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...ends),
        fc.nat(),
        fc.nat({ max: 12 }),
        fc.option(piece, { nil: '' }),
        (end, at, length, text) => {
          const changed = resealed(lines[end]!, (body) => {
            // the name of the payload and the salt stay
            const from = ',"payload":{'.length + (at % (body.length - 60));
            return body.slice(0, from) + text + body.slice(Math.min(from + length, body.length - 44));
          });
          const found = both(lines.slice(0, end), changed);
          expect(found.after.equals(changed)).toBe(true);
          if (found.skimmed !== null) accepted++;
          expectAlike(found);
        },
      ),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  test('leaves a time that is spelled with an escape to `read`', () => {
    const end = ends[1]!;
    const changed = resealed(lines[end]!, (body) => body.replace(/("timestamp":"[^"]*)"/, '$1\\n"'));
    const found = both(lines.slice(0, end), changed);
    expect(found.read.what).toBe('record');
    expect(found.skimmed).toBeNull();
  });

  test('accepts no line with a changed byte', () => {
    let next: Expected = BEGINNING;
    const reader = new SegmentReader();
    for (const [n, line] of lines.entries()) {
      for (let i = 0; i < line.length; i++) {
        const changed = Buffer.from(line);
        changed[i]! ^= 1 << (i % 8);
        expect(reader.skim(changed, ORIGIN, next), `line ${n}, byte ${i}`).toBeNull();
        expect(reader.skimDocument(changed, ORIGIN, next), `line ${n}, byte ${i}`).toBeNull();
      }
      const read = reader.read(line);
      if (read.what === 'fault') throw new Error(read.fault);
      next = followedBy(next, read.link);
    }
  });

  test('leaves to `read` a record whose shared document is missing or cut', () => {
    const end = ends[0]!;
    for (let gone = 0; gone < end; gone++) {
      const [withCut, without] = [new SegmentReader(), new SegmentReader()];
      let next: Expected = BEGINNING;
      for (const [i, line] of lines.slice(0, end).entries()) {
        const read = withCut.read(i === gone ? cut(line) : line);
        if (read.what === 'fault') throw new Error(read.fault);
        if (i !== gone) without.read(line);
        next = followedBy(next, read.link);
      }
      for (const reader of [withCut, without])
        expect(reader.skim(lines[end]!, ORIGIN, next), lines[gone]!.toString()).toBeNull();
    }
  });

  test('reads shared documents as `read` does, and looks at them later', () => {
    const [reader, other] = [new SegmentReader(), new SegmentReader()];
    let next: Expected = BEGINNING;
    for (const line of lines) {
      const read = other.read(line);
      if (read.what === 'fault') throw new Error(read.fault);
      if (read.what === 'document') {
        expect(reader.skimDocument(line, ORIGIN, { ...next, seq: next.seq + 1 })).toBeNull();
        expect(reader.skimDocument(line, ORIGIN, next)).toBe(read.link.hash);
        expect(reader.skimDocument(line, ORIGIN, next)).toBeNull();
      } else expect(reader.skimDocument(line, ORIGIN, next)).toBeNull();
      next = followedBy(next, read.link);
    }
    expect(reader.documents(reader.count)).toEqual(other.documents(other.count));
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 12 }), fc.option(piece, { nil: '' }), (at, length, text) => {
        const changed = resealed(lines[0]!, (body) => {
          const from = ',"payload":{'.length + (at % (body.length - 60));
          return body.slice(0, from) + text + body.slice(Math.min(from + length, body.length - 44));
        });
        const reader = new SegmentReader();
        if (reader.skimDocument(changed, ORIGIN, BEGINNING) === null) return;
        const other = new SegmentReader();
        expect(other.read(changed).what).toBe('document');
        expect(reader.documents(1)).toEqual(other.documents(1));
      }),
      { numRuns: 2000 },
    );
  });
});
