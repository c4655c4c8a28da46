/** Version 2 of a record: shared documents, payloads, and the complete record that a reader returns. */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Entry, indexable, payloadOf } from '../../src/decision-log/index/entry.ts';
import { normalize } from '../../src/decision-log/journal/canonical.ts';
import { GENESIS } from '../../src/decision-log/journal/chain.ts';
import { readCopy } from '../../src/decision-log/journal/copy.ts';
import { singleLine } from '../../src/decision-log/journal/pages.ts';
import { type Read, SegmentReader } from '../../src/decision-log/journal/reader.ts';
import { Sealer } from '../../src/decision-log/journal/sealer.ts';
import type { PolicyInput } from '../../src/model/input.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { HeadWriter } from '../../src/decision-log/journal/head.ts';
import { prove } from '../../src/decision-log/verify/proof.ts';
import { verifyFile } from '../../src/decision-log/verify/file.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { draft } from '../support/decision-records.ts';
import {
  isRecord,
  linesOf,
  openJournal,
  recordsOf,
  temporaryDirectory,
  writeJournal,
} from '../support/journals.ts';
import { seal } from '../support/version1.ts';

/** The lines of a chain that begins with these records. */
function sealed(drafts: readonly DecisionRecordDraft[], sealer = new Sealer()): Buffer[] {
  let prev_hash = GENESIS;
  return drafts.flatMap((each, i) => {
    const { record, bytes } = sealer.seal(
      each,
      { origin: 'a-00000000', seq: i + 1, prev_hash },
      singleLine(),
    );
    prev_hash = record.hash;
    return bytes
      .toString('latin1')
      .split('\n')
      .slice(0, -1)
      .map((line) => Buffer.from(line, 'latin1'));
  });
}

const read = (lines: readonly Buffer[], reader = new SegmentReader()): Read[] =>
  lines.map((line) => reader.read(line));
const records = (reads: readonly Read[]) => reads.filter((r) => r.what === 'record');

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', '', '"', '\\', '\ud800', '7', '10', 'hmc'),
);
/** `JSON.parse` of V8 may take `"\\""` and `"\\\\"` for each other when they are names of members. */
const name = text.filter((key) => !/["\\]/.test(key));
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(fc.tuple(name, tie('value')), { maxLength: 4 })
      .map((members) => Object.fromEntries(members) as object),
  ),
})).value;

/** Changes one place of a record: another value, no value, or an additional member. */
const change = fc.record({
  at: fc.nat(),
  depth: fc.nat(4),
  to: json,
  how: fc.constantFrom('set', 'add', 'delete'),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** A copy in which no object stands at two places: a change of the subject then leaves the subject in the input as it was. */
function separate<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(separate) as T;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, separate(member)])) as T;
}

/** Another value with the same JSON: members in another order, `undefined` as a member, and `undefined` in place of null in lists. */
function respelled<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => respelled(item) ?? undefined) as T;
  const members = Object.entries(value).map(([key, member]) => [key, respelled(member)] as const);
  return Object.fromEntries([['undefined', undefined] as const, ...members.reverse()]) as T;
}

function changed(record: DecisionRecordDraft, { at, depth, to, how }: Change): DecisionRecordDraft {
  const copy = separate(record) as unknown as { [member: string]: unknown };
  let object = copy;
  for (let d = 0, n = at; d < depth; d++, n = Math.floor(n / 7)) {
    const below = Object.values(object).filter((v) => typeof v === 'object' && v !== null);
    if (below.length === 0) break;
    object = below[n % below.length] as typeof object;
  }
  const names = Object.keys(object);
  const name = names[at % names.length] ?? 'more';
  if (how === 'set') object[name] = to;
  else if (how === 'add' && !Array.isArray(object)) object['additional'] = to;
  else if (how === 'delete' && !Array.isArray(object)) delete object[name];
  return {
    ...(copy as unknown as DecisionRecordDraft),
    decision_id: record.decision_id,
    timestamp: record.timestamp,
  };
}

/** What the input repeats of the record may be equal, or have the same JSON only. */
const oneRecord = fc
  .record({
    n: fc.nat(20),
    answers: fc.option(
      fc.array(fc.record({ count: fc.nat(5), disclose: fc.boolean(), consents: json }), { maxLength: 3 }),
    ),
    properties: fc.option(json),
    isRespelled: fc.boolean(),
    changes: fc.array(change, { maxLength: 2 }),
    isFrozen: fc.boolean(),
  })
  .map(({ n, answers, properties, isRespelled, changes, isFrozen }) => {
    const base = draft(n);
    const { disclosure } = base;
    const own = properties === null ? {} : { properties: separate(properties) };
    const subject = n % 4 === 0 ? null : { ...base.subject!, ...own };
    const resource = { ...base.resource!, ...own };
    const input = { ...base.input, subject: separate(subject), resource: separate(resource) };
    const whole = {
      ...base,
      claimed: n % 3 === 0 ? ['purpose' as const] : [],
      subject,
      resource,
      input: isRespelled ? respelled(input) : input,
      ...(n % 4 === 0 ? { disclosure: null, response: null } : {}),
      ...(n % 4 !== 0 && answers !== null
        ? { disclosure: { ...disclosure, answers, data_subjects: [`C${100_000 + n}`] } }
        : {}),
    } as unknown as DecisionRecordDraft;
    const made = changes.reduce(changed, whole);
    return isFrozen ? frozen(made) : made;
  });

const row = (entry: Entry | null) =>
  entry === null
    ? null
    : {
        ...entry,
        payload: JSON.parse(
          payloadOf(
            entry,
            entry.documents.map((_, i) => i),
          ),
        ),
      };

describe('a record of version 2', () => {
  test('is read as it was given, whatever its members are, alone or from a copy', () => {
    let usual = 0;
    let stored = 0;
    fc.assert(
      fc.property(fc.array(oneRecord, { minLength: 1, maxLength: 6 }), (drafts) => {
        const lines = sealed([...drafts, ...drafts]);
        usual += lines.filter((line) => !line.includes('"payload":{"record":')).length;
        const reads = records(read(lines));
        expect(reads).toHaveLength(2 * drafts.length);
        for (const [i, { line, link, parts, record }] of reads.entries()) {
          // An index stores the same, whether it takes the line as it is or the record.
          const asItIs = row(indexable({ record, line: '', link, parts }));
          expect(asItIs).toEqual(row(indexable({ record, line: '' })));
          stored += asItIs === null ? 0 : 1;
          const { origin: _o, seq: _s, prev_hash: _p, hash: _h, ...own } = record;
          expect(normalize(own).json).toBe(normalize(drafts[i % drafts.length]).json);
          expect(normalize(readCopy(line())).json).toBe(normalize(record).json);
        }
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 300) },
    );
    expect(usual).toBeGreaterThan(1000);
    expect(stored).toBeGreaterThan(1000);
  });

  /** Places of a value in a record; in the first two the value is in the input too. */
  const places: { [place: string]: (value: object) => Partial<DecisionRecordDraft> } = {
    subject: (value) => {
      const subject = { ...draft().subject!, properties: value as never };
      return { subject, input: { ...draft().input, subject: separate(subject) } };
    },
    resource: (value) => {
      const resource = { ...draft().resource!, properties: value as never };
      return { resource, input: { ...draft().input, resource: separate(resource) } };
    },
    input: (value) => ({ input: { value } }),
    grants: (value) => ({
      input: { ...draft().input, context: { ...(draft().input!['context'] as object), grants: [value] } },
    }),
    answers: (value) => ({
      disclosure: { ...draft().disclosure!, answers: [{ count: 1, consents: value } as never] },
    }),
    labels: (value) => ({ labels: value as never }),
    'an unusual member': (value) => ({ unusual: value }) as never,
  };
  test.each(Object.keys(places))(
    'is refused, or read alone and from a copy, however deep %s is nested',
    (place) => {
      let accepted = 0;
      let refused = 0;
      for (const isFrozen of [false, true])
        for (const depth of [...Array.from({ length: 30 }, (_, i) => 80 + i), 1000]) {
          let value: object = {};
          for (let d = 1; d < depth; d++) value = d % 2 ? [value] : { a: value };
          const given = draft(1, places[place]!(value));
          let lines: Buffer[];
          try {
            lines = sealed([isFrozen ? frozen(given) : given]);
          } catch (e) {
            expect(e).toMatchObject({
              code: 'input_invalid',
              message: expect.stringContaining('100 levels'),
            });
            refused++;
            continue;
          }
          accepted++;
          const [only] = records(read(lines));
          const { origin: _o, seq: _s, prev_hash: _p, hash: _h, ...own } = only!.record;
          expect(normalize(own).json, String(depth)).toBe(normalize(given).json);
          expect(normalize(readCopy(only!.line())).json, String(depth)).toBe(normalize(only!.record).json);
        }
      expect(accepted).toBeGreaterThan(20);
      expect(refused).toBeGreaterThan(10);
    },
  );

  test('refers to shared documents that are written once', () => {
    const drafts = Array.from({ length: 50 }, (_, i) => frozen(draft(7 * i + 1)));
    const lines = sealed([...drafts, ...drafts]);
    const documents = lines.filter((line) => line.includes('"d":"'));
    // One caller, one set of fields, and an access for allowed and one for denied requests.
    expect(documents.map((line) => /"d":"(\w+)"/.exec(line.toString())?.[1]).sort()).toEqual([
      'access',
      'access',
      'fields',
      'subject',
    ]);
    expect(lines).toHaveLength(100 + documents.length);
  });

  test('says nothing twice', () => {
    const one = draft(1);
    const id = one.disclosure!.data_subjects[0]!;
    const resource = { ...one.resource!, id };
    const lines = sealed([{ ...one, resource, input: { ...one.input, resource } }]);
    const all = lines.map(String).join('\n');
    for (const text of [id, one.subject!.id, one.timestamp, one.justification!, '10.0.0.7', 'GET /api'])
      expect(all.split(JSON.stringify(text).slice(1, -1)), text).toHaveLength(2);
  });
});

/** Appends one record after another, so that the journal has several segments. */
async function inSegments(dir: string, n: number): Promise<void> {
  const journal = await openJournal(dir, { segmentSize: 6000 });
  for (let i = 0; i < n; i++) await journal.append(draft(i));
  await journal.close();
}

const segment = (dir: string): string => join(dir, readdirSync(dir).find((f) => f.endsWith('.jsonl'))!);
const problemsOf = async (dir: string) => (await verify({ dir, key: null })).problems;
const removed = (line: string): string => `${line.slice(0, line.indexOf(',"payload":'))}}`;

test('a chain of version 1 is continued in version 2, in the same segment, and verifies', async () => {
  const dir = temporaryDirectory();
  const origin = 'test-0011aabb';
  let link = { origin, seq: 1, prev_hash: GENESIS };
  const path = join(dir, `${origin}.0000000000000001.jsonl`);
  for (let i = 0; i < 5; i++) {
    const { record, bytes } = seal(draft(i), link);
    writeFileSync(path, bytes, { flag: 'a' });
    link = { origin, seq: record.seq + 1, prev_hash: record.hash };
  }
  const head = { origin, seq: 5, hash: link.prev_hash, at: '2026-11-22T08:00:00.000Z' };
  new HeadWriter(join(dir, `${origin}.head`), head, null).close();
  expect(await writeJournal(dir, 5)).toBe(origin);
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 10 });
  expect(recordsOf(dir).map((r) => r.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const { decisions } = await scanQuery(dir).query({ subject: 'u-1' });
  expect(decisions).toHaveLength(2);
});

test('a restart refers to the shared documents that the segment has', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 20);
  const before = linesOf(segment(dir)).length;
  await writeJournal(dir, 20);
  const after = linesOf(segment(dir));
  expect(after.slice(before).every(isRecord)).toBe(true);
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 40 });
});

test('a shared document that is torn off with its record moves to the quarantine directory', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 1);
  const path = segment(dir);
  const journal = await openJournal(dir);
  const size = readFileSync(path).length;
  await journal.append(draft(2));
  await journal.close();
  const text = readFileSync(path);
  const torn = text.subarray(size, text.lastIndexOf('\n', text.length - 2) + 20);
  expect(torn.includes('"d":"')).toBe(true);
  // Behind another journal the lines belong to the wrong chain.
  const other = temporaryDirectory();
  await writeJournal(other, 1);
  const line = linesOf(segment(other)).length;
  writeFileSync(segment(other), torn, { flag: 'a' });
  const wrong = { what: 'origin_mismatch', message: expect.stringContaining(journal.origin), seq: 2 };
  expect(await problemsOf(other)).toMatchObject([
    { ...wrong, line: line + 1 },
    { ...wrong, line: line + 2 },
    { what: 'torn_tail', line: line + 3, seq: 2 },
  ]);
  // The same bytes behind the journal that they belong to, whose head is older.
  writeFileSync(path, text.subarray(0, size + torn.length));
  const head = recordsOf(dir).at(-1)!;
  new HeadWriter(
    join(dir, `${head.origin}.head`),
    { origin: head.origin, seq: head.seq, hash: head.hash, at: head.timestamp },
    null,
  ).close();
  expect(await problemsOf(dir)).toMatchObject([{ what: 'torn_tail' }]);
  await writeJournal(dir, 3);
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 4 });
  const [aside] = readdirSync(join(dir, 'quarantine'));
  expect(readFileSync(join(dir, 'quarantine', aside!))).toEqual(torn);
});

test('a missing shared document is named, its records are refused, and the others are read', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 20);
  const lines = linesOf(segment(dir));
  const at = lines.findLastIndex((line) => line.includes('"d":"subject"'));
  writeFileSync(segment(dir), `${lines.filter((_, i) => i !== at).join('\n')}\n`);
  const problems = await problemsOf(dir);
  expect(problems[0]).toMatchObject({ what: 'shared_missing', file: segment(dir).split('/').at(-1), seq: 7 });
  expect(recordsOf(dir)).toHaveLength(18);
  expect((await scanQuery(dir).query({ limit: 100 })).decisions).toHaveLength(18);
});

describe('what a rejected line states about itself', () => {
  const altered = (line: string, from: string | RegExp, to: string): string => {
    const other = line.replace(from, to);
    expect(other).not.toBe(line);
    return other;
  };
  const glimpsed = (line: string) => {
    const read = new SegmentReader().read(Buffer.from(line));
    return read.what === 'fault' ? read.record : read.what;
  };
  test.each([
    ['a shared document', (line: string) => !isRecord(line)],
    ['a record', isRecord],
  ] as const)('is its origin and seq, whether %s has its payload or not', (_, isIt) => {
    const line = sealed([draft(1)])
      .map(String)
      .find(isIt)!;
    for (const each of [line, removed(line)]) {
      const digit = /(?<="hash":")./.exec(each)![0];
      for (const other of ['', digit === '0' ? '1' : '0'])
        expect(glimpsed(altered(each, /(?<="hash":")./, other))).toMatchObject({
          origin: 'a-00000000',
          seq: 1,
        });
    }
  });

  test('is everything in a line of version 1, even with members of the names of version 2', () => {
    const link = { origin: 'a-00000000', seq: 7, prev_hash: GENESIS };
    const unusual = { ...draft(1), payload: {}, o: 'b-11111111', s: 9 } as unknown as DecisionRecordDraft;
    const { bytes } = seal(unusual, link);
    const line = altered(
      bytes.toString().trimEnd(),
      '"purpose":"after_sales","reasons"',
      '"purpose":"after_sale5","reasons"',
    );
    expect(glimpsed(line)).toMatchObject({ origin: 'a-00000000', seq: 7, purpose: 'after_sale5' });
  });
});

describe('a shared document at the end of an earlier segment', () => {
  /** A journal of several segments; the second begins with shared documents, which follow the last record of the first. */
  async function journal() {
    const dir = temporaryDirectory();
    await inSegments(dir, 12);
    const [a, b] = readdirSync(dir)
      .filter((f) => f.endsWith('.jsonl'))
      .sort()
      .map((f) => join(dir, f));
    const [first, second] = [linesOf(a!), linesOf(b!)];
    const documents = second.slice(0, second.findIndex(isRecord));
    expect(documents.length).toBeGreaterThan(1);
    const record = recordsOf(dir).find(({ seq }) => seq === Number(b!.split('.').at(-2)))!;
    const put = (path: string, lines: readonly string[]) => writeFileSync(path, `${lines.join('\n')}\n`);
    return { dir, a: a!, b: b!, first, second, documents, record, put };
  }

  test('without its record is named, and the next segment is read and proven as before', async () => {
    const { dir, a, b, first, documents, record, put } = await journal();
    put(a, [...first, ...documents]);
    const wanted = {
      what: 'shared_missing',
      file: a.split('/').at(-1),
      line: first.length + documents.length,
      seq: record.seq,
      message: expect.stringContaining('at the end of the file'),
    };
    expect(await verify({ dir, key: null })).toMatchObject({
      records: 12,
      problems: [wanted],
      problems_total: 1,
    });
    expect(await verifyFile(a)).toMatchObject({ ok: false, problems: [wanted], problems_total: 1 });
    expect(await verifyFile(b)).toMatchObject({ ok: true });
    expect(recordsOf(dir)).toHaveLength(12);
    expect(await prove(dir, [record])).toMatchObject([
      { intact: true, detail: 'Its hash verifies, and it follows the record before it.' },
    ]);
  });

  test('is not there for a record of the next segment', async () => {
    const { dir, a, b, first, second, documents, record, put } = await journal();
    put(a, [...first, ...documents]);
    put(b, second.slice(documents.length));
    const refused = { what: 'shared_missing', file: b.split('/').at(-1), line: 1, seq: record.seq };
    const { problems, records } = await verify({ dir, key: null });
    expect(records).toBe(12);
    expect(problems.slice(0, 3)).toMatchObject([
      { what: 'shared_missing', file: a.split('/').at(-1), seq: record.seq },
      refused,
      refused,
    ]);
    expect(problems.every(({ what }) => what === 'shared_missing')).toBe(true);
    expect((await verifyFile(b)).problems.slice(0, 2)).toMatchObject([refused, refused]);
    expect(recordsOf(dir).map(({ seq }) => seq)).not.toContain(record.seq);
    expect(await prove(dir, [record])).toMatchObject([
      { intact: false, detail: expect.stringContaining('cannot be read') },
    ]);
  });

  test('whose record is missing does not hide that', async () => {
    const { dir, a, b, first, record, put } = await journal();
    // The last record of the segment, which has shared documents of its own.
    const last = first.findLastIndex(isRecord);
    expect(isRecord(first[last - 1]!)).toBe(false);
    put(a, first.slice(0, last));
    const seq = record.seq - 1;
    expect(await verify({ dir, key: null })).toMatchObject({
      problems: [
        { what: 'shared_missing', file: a.split('/').at(-1), line: last, seq },
        { what: 'records_missing', file: b.split('/').at(-1), line: null, seq },
      ],
      problems_total: 2,
    });
  });

  test('is named at the end of a chain whose last record was cut off', async () => {
    const dir = temporaryDirectory();
    await writeJournal(dir, 2);
    const lines = linesOf(segment(dir)).slice(0, -1);
    expect(isRecord(lines.at(-1)!)).toBe(false);
    writeFileSync(segment(dir), `${lines.join('\n')}\n`);
    expect(await problemsOf(dir)).toMatchObject([
      { what: 'shared_missing', line: lines.length, seq: 2 },
      { what: 'tail_missing', seq: 2 },
    ]);
  });
});

test('a shared document that was inserted at the beginning of a file, whose line before is not known, is named', async () => {
  const dir = temporaryDirectory();
  await inSegments(dir, 12);
  const path = readdirSync(dir)
    .filter((f) => f.endsWith('.jsonl'))
    .sort()
    .map((f) => join(dir, f))[1]!;
  const lines = linesOf(path);
  const [first] = lines;
  const { o: origin, s: seq } = JSON.parse(first!) as { o: string; s: number };
  const { bytes } = new Sealer().seal(draft(3), { origin, seq, prev_hash: GENESIS });
  const [inserted] = bytes.toString().split('\n');
  expect(await verifyFile(path)).toMatchObject({ ok: true });
  writeFileSync(path, `${[inserted, ...lines].join('\n')}\n`);
  expect((await verifyFile(path)).problems).toMatchObject([{ what: 'prev_hash_mismatch', line: 2, seq }]);
  // The same in a journal without the segment before; and its record does not follow another shared document.
  rmSync(path.replace(/\d{16}(?=\.jsonl)/, '0000000000000001'));
  expect(await problemsOf(dir)).toMatchObject([
    { what: 'records_missing', seq: 1 },
    { what: 'prev_hash_mismatch', line: 2, seq },
  ]);
  const record = lines.findIndex(isRecord);
  writeFileSync(path, `${[inserted, ...lines.slice(record)].join('\n')}\n`);
  expect((await problemsOf(dir)).slice(0, 2)).toMatchObject([
    { what: 'records_missing', seq: 1 },
    { what: 'shared_missing', line: 2, seq, message: expect.stringContaining('missing or was replaced') },
  ]);
});

test('a repeated shared document is named', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 5);
  const [first, ...lines] = linesOf(segment(dir));
  writeFileSync(segment(dir), `${[first, first, ...lines].join('\n')}\n`);
  expect((await problemsOf(dir))[0]).toMatchObject({ what: 'record_repeated', line: 2 });
});

test('without payloads the chain still verifies: each run of them is one problem, and there is no other', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 9);
  const path = segment(dir);
  const lines = linesOf(path);
  /** 1-based number of a line */
  const numberOf = (isIt: (line: string) => boolean) => 1 + lines.findIndex(isIt);
  const cut = (isCut: (line: string, number: number) => boolean) =>
    writeFileSync(
      path,
      `${lines.map((line, i) => (isCut(line, i + 1) ? removed(line) : line)).join('\n')}\n`,
    );
  const report = () => verify({ dir, key: null });
  const record = (seq: number) => numberOf((line) => isRecord(line) && line.includes(`","s":${seq},`));

  const [from, to] = [record(8), record(9)];
  expect(to).toBe(from + 1);
  cut((_, number) => number === record(3) || number >= from);
  expect(await report()).toMatchObject({
    records: 9,
    problems_total: 2,
    problems: [
      {
        what: 'payload_removed',
        line: record(3),
        seq: 3,
        message: 'The payload of record 3 was removed. No statement of removal in the journal names it.',
      },
      {
        what: 'payload_removed',
        line: from,
        seq: 8,
        message: expect.stringContaining('The payloads of 2 lines were removed, of records 8 to 9.'),
      },
    ],
    origins: [{ removed: 3, last: 9 }],
  });
  expect(recordsOf(dir).map((r) => r.seq)).toEqual([1, 2, 4, 5, 6, 7]);

  // The subject of record 2 is that of record 9 too.
  const subject = numberOf((line) => line.includes('"d":"subject"') && line.includes('","s":2,'));
  cut((_, number) => number === subject);
  expect(await report()).toMatchObject({
    problems_total: 3,
    problems: [
      { what: 'payload_removed', line: subject, seq: 2, message: expect.stringContaining('shared') },
      {
        what: 'payload_removed',
        seq: 2,
        message: expect.stringContaining('a shared document that it needs'),
      },
      {
        what: 'payload_removed',
        seq: 9,
        message: expect.stringContaining('a shared document that it needs'),
      },
    ],
    origins: [{ removed: 2 }],
  });
  expect(recordsOf(dir).map((r) => r.seq)).toEqual([1, 3, 4, 5, 6, 7, 8]);

  cut(() => true);
  expect(await report()).toMatchObject({
    problems_total: 1,
    problems: [{ what: 'payload_removed', line: 1, seq: 1 }],
    origins: [{ removed: 9 }],
  });
  expect(await verifyFile(path)).toMatchObject({
    ok: false,
    records: 9,
    removed: 9,
    problems_total: 1,
    problems: [{ what: 'payload_removed', line: 1, seq: 1 }],
  });
});

test('an altered line among lines without payloads is named', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 9);
  const path = segment(dir);
  const lines = linesOf(path).map(removed);
  const at = lines.length - 2;
  const altered = lines.with(at, lines[at]!.replace(/"s":8/, '"s":7'));
  writeFileSync(path, `${altered.join('\n')}\n`);
  expect(await problemsOf(dir)).toMatchObject([
    { what: 'payload_removed', line: 1 },
    { what: 'hash_mismatch', line: at + 1 },
    { what: 'payload_removed', line: at + 2 },
  ]);
});

test('each line can be checked with the commands of the documentation', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 3);
  const guide = readFileSync(new URL('../../docs/decision-log.md', import.meta.url), 'utf8');
  const commands = /```sh\n(line=\$\(sed[\s\S]*?)```/.exec(guide)![1]!.replace('data/journal/*', `${dir}/*`);
  for (const [i, line] of linesOf(segment(dir)).entries()) {
    const out = execFileSync('bash', ['-c', commands.replace('-n 4p', `-n ${i + 1}p`)]).toString();
    const { hash, c } = JSON.parse(line) as { hash: string; c: string };
    expect(out.split('\n').map((l) => l.slice(0, 64))).toEqual([hash, c, '']);
  }
});

test('a segment of an earlier version, whose references are short, is read, verified, copied and continued', async () => {
  const dir = temporaryDirectory();
  cpSync(new URL('./short-references/', import.meta.url), dir, { recursive: true });
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 4 });
  const journal = await openJournal(dir);
  expect(journal.origin).toBe('test-7d3d1145');
  await journal.append(draft(0));
  await journal.append(draft(1));
  await journal.close();
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 6 });
  const [segment] = readdirSync(dir).filter((f) => f.endsWith('.jsonl'));
  const lines = linesOf(join(dir, segment!));
  const [before, after] = [lines.filter(isRecord)[0]!, lines.filter(isRecord)[4]!];
  expect(before).toMatch(/"access":"[0-9a-f]{16}"/);
  expect(after).toMatch(/"access":"[0-9a-f]{64}"/);
  // The documents of the segment are used again.
  expect(lines.slice(-2).every(isRecord)).toBe(true);
  const reader = new SegmentReader();
  for (const line of lines) {
    const read = reader.read(Buffer.from(line));
    if (read.what === 'record') expect(readCopy(read.line())).toEqual(read.record);
    else expect(read.what).toBe('document');
  }
});

describe('the agent of a record', () => {
  const agent = {
    id: 'assistant',
    issuer: 'https://idp.example',
    chain: [{ id: 'planner', issuer: 'https://idp.example' }],
    properties: { client_id: 'c-1', known_by: 'actor', roles: [] },
  } as const;
  const plain = draft();
  const { input } = plain as { input: PolicyInput };
  const asked = { ...input, context: { ...input.context, agent } };
  const other = { ...input, context: { ...input.context, agent: { ...agent, id: 'another' } } };

  test.each([
    ['stands in the record and in its input', { ...plain, agent, input: asked }],
    ['stands in the record alone', { ...plain, agent }],
    ['stands in the input alone', { ...plain, input: asked }],
    ['differs between the two', { ...plain, agent, input: other }],
    ['stands in a record without an input', { ...plain, agent, input: null }],
    ['is nobody', plain],
  ])('is read back as it was written where it %s', (_, written) => {
    const [one] = records(read(sealed([written])));
    const { record } = one as { record: DecisionRecordDraft };
    expect(record.agent).toEqual((written as DecisionRecordDraft).agent);
    expect(record.input).toEqual(written.input);
  });
});
