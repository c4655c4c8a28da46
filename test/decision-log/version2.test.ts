/** Version 2 of a record: shared documents, payloads, and the complete record that a reader returns. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalize } from '../../src/decision-log/journal/canonical.ts';
import { GENESIS } from '../../src/decision-log/journal/chain.ts';
import { readCopy } from '../../src/decision-log/journal/copy.ts';
import { singleLine } from '../../src/decision-log/journal/pages.ts';
import { type Read, SegmentReader } from '../../src/decision-log/journal/reader.ts';
import { Sealer } from '../../src/decision-log/journal/sealer.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from '../support/decision-records.ts';

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

function changed(record: DecisionRecordDraft, { at, depth, to, how }: Change): DecisionRecordDraft {
  const copy = structuredClone(record) as unknown as { [member: string]: unknown };
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

const oneRecord = fc
  .record({
    n: fc.nat(20),
    answers: fc.option(
      fc.array(fc.record({ count: fc.nat(5), disclose: fc.boolean(), consents: json }), { maxLength: 3 }),
    ),
    changes: fc.array(change, { maxLength: 2 }),
    isFrozen: fc.boolean(),
  })
  .map(({ n, answers, changes, isFrozen }) => {
    const base = draft(n);
    const { disclosure } = base;
    const whole = {
      ...base,
      claimed: n % 3 === 0 ? ['purpose' as const] : [],
      ...(n % 4 === 0 ? { disclosure: null, response: null, subject: null } : {}),
      ...(n % 4 !== 0 && answers !== null
        ? { disclosure: { ...disclosure, answers, data_subjects: [`C${100_000 + n}`] } }
        : {}),
    } as unknown as DecisionRecordDraft;
    const made = changes.reduce(changed, whole);
    return isFrozen ? frozen(made) : made;
  });

describe('a record of version 2', () => {
  test('is read as it was given, whatever its members are, alone or from a copy', () => {
    let usual = 0;
    fc.assert(
      fc.property(fc.array(oneRecord, { minLength: 1, maxLength: 6 }), (drafts) => {
        const lines = sealed([...drafts, ...drafts]);
        usual += lines.filter((line) => !line.includes('"payload":{"record":')).length;
        const reads = records(read(lines));
        expect(reads).toHaveLength(2 * drafts.length);
        for (const [i, { record, line }] of reads.entries()) {
          const { origin: _o, seq: _s, prev_hash: _p, hash: _h, ...own } = record;
          expect(normalize(own).json).toBe(normalize(drafts[i % drafts.length]).json);
          expect(normalize(readCopy(line())).json).toBe(normalize(record).json);
        }
      }),
      { numRuns: 300 },
    );
    expect(usual).toBeGreaterThan(1000);
  });

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
