/** What the policy leaves of a record for each sink: by the default policy, by rules that fail, and in the thread that copies. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDecisionLog, type OpenDecisionLog } from '../../../src/decision-log/decision-log.ts';
import type { Copy } from '../../../src/decision-log/index/store.ts';
import { createMasker } from '../../../src/decision-log/sinks/masking.ts';
import { opaEvent } from '../../../src/decision-log/sinks/opa-event.ts';
import type { SinkConfig } from '../../../src/decision-log/sinks/section.ts';
import { syslogMessage } from '../../../src/decision-log/sinks/syslog.ts';
import { verifyFile } from '../../../src/decision-log/verify/file.ts';
import { verify } from '../../../src/decision-log/verify/verify.ts';
import type { CopyRules } from '../../../src/model/policy.ts';
import type { CopyMask, DecisionRecord } from '../../../src/model/record.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { createSnapshot } from '../../../src/policy/snapshot/index.ts';
import { DEFAULT_LIMITS } from '../../../src/policy/settings.ts';
import { draft } from '../../support/decision-records.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../../support/journals.ts';
import { policyWith } from '../../support/policy.ts';
import { receiver } from '../../support/receiver.ts';

/** Answers what the data say, and takes long where they say so. */
const RULES = `package sluice
decision := {"allow": true}
disclosure := {"disclose": true}
log := data.answers[input.sink] if not data.slow
log := {"drop": count([1 | some _ in numbers.range(1, data.many); some _ in numbers.range(1, data.many)]) > 0} if data.slow
`;

async function rulesOf(data: object, rego?: string, limits = {}): Promise<CopyRules> {
  const bundle = await policyWith({ data: data as Record<string, unknown>, rego });
  return (await createSnapshot(bundle, { limits: { ...DEFAULT_LIMITS, ...limits } })).copyRules()!;
}
const answering = (answer: unknown, limits = {}) =>
  rulesOf({ answers: { stdout: answer }, slow: false }, RULES, limits);

async function copies(n: number): Promise<Copy[]> {
  const dir = temporaryDirectory();
  await writeJournal(dir, n);
  return recordsOf(dir).map((record) => ({ record, line: 'as in the journal' }));
}

const BARE = { subject: null, request: null, input: null, disclosure: null, reasons: [], timings_us: {} };
const LINKS = [
  'decision_id',
  'timestamp',
  'kind',
  'outcome',
  'part',
  'origin',
  'seq',
  'prev_hash',
  'hash',
] as const;
const linksOf = (record: DecisionRecord) => LINKS.map((member) => record[member]);

describe('the default policy', () => {
  const sinks = {
    'syslog:siem': { drop: [{ outcome: 'denied' }, { route: 'GET /health' }] },
    'http:partner': {
      erase: ['/justification', '/request/client_ip'],
      replace: { '/subject/id': '[masked]' },
    },
  };

  test('keeps records from a sink, and hides members wherever a record repeats them', async () => {
    const mask = await createMasker(await rulesOf({ sinks }));
    const [denied, modified] = await copies(2);
    expect(mask(denied!, 'syslog:siem')).toBe(null);
    expect(mask(modified!, 'syslog:siem')).toBe(modified);
    const masked = mask(modified!, 'http:partner')!;
    expect(masked.record.masked?.toSorted()).toEqual(['/input/subject/id', '/subject/id']);
    expect(masked.record.erased?.toSorted()).toEqual([
      '/input/context/justification',
      '/input/context/request/client_ip',
      '/justification',
      '/request/client_ip',
    ]);
    expect(masked.record).toMatchObject({
      subject: { id: '[masked]', type: 'user' },
      justification: null,
      input: { subject: { id: '[masked]' }, resource: modified!.record.resource },
      disclosure: modified!.record.disclosure,
    });
    for (const hidden of ['u-1"', '工单', '10.0.0.7', '"proof"']) expect(masked.line).not.toContain(hidden);
    expect(JSON.parse(masked.line)).toEqual(masked.record);
    expect(linksOf(masked.record)).toEqual(linksOf(modified!.record));
  });

  test('leaves every record as it is for a sink that it does not name', async () => {
    const mask = await createMasker(await rulesOf({ sinks: {} }));
    const [one] = await copies(1);
    expect(mask(one!, 'http:partner')).toBe(one);
  });
});

describe('a rule that gives no usable answer', () => {
  test.each<[string, unknown, object, string]>([
    ['undefined', null, {}, 'policy_answer_malformed'],
    ['not an object', [], {}, 'policy_answer_malformed'],
    ['a misspelled member', { maks: [] }, {}, 'policy_answer_malformed'],
    ['a text for drop', { drop: 'true' }, {}, 'policy_answer_malformed'],
    ['a pointer without its slash', { mask: ['subject/id'] }, {}, 'policy_answer_malformed'],
    ['a pointer to the whole record', { mask: [''] }, {}, 'policy_answer_malformed'],
    ['a member that links the copy to its record', { mask: ['/hash'] }, {}, 'policy_answer_malformed'],
    ['a member that no record has', { mask: ['/subjet/id'] }, {}, 'policy_answer_malformed'],
    ['an unknown operation', { mask: [{ op: 'hide', path: '/subject' }] }, {}, 'policy_answer_malformed'],
    [
      'a removal with a value',
      { mask: [{ op: 'remove', path: '/subject', value: 1 }] },
      {},
      'policy_answer_malformed',
    ],
    [
      'an upsert without a value',
      { mask: [{ op: 'upsert', path: '/subject' }] },
      {},
      'policy_answer_malformed',
    ],
    ['a record that is too long', {}, { input_bytes: 10 }, 'policy_input_too_large'],
  ])('%s sends the record without what tells of the request', async (_, answer, limits, code) => {
    const mask = await createMasker(await answering(answer, limits));
    const [one] = await copies(1);
    const { record, line } = mask(one!, 'stdout')!;
    expect(record).toMatchObject({ ...BARE, mask_error: code });
    expect(linksOf(record)).toEqual(linksOf(one!.record));
    for (const hidden of ['u-0', '工单', '10.0.0.7', 'customer', 'hmac:', 'proof'])
      expect(line).not.toContain(hidden);
  });

  test('an undefined answer, a slow rule and rules that cannot be loaded do the same', async () => {
    const [one] = await copies(1);
    const known = await answering({ drop: true });
    expect((await createMasker(known))(one!, 'syslog:other')?.record).toMatchObject({
      ...BARE,
      mask_error: 'policy_answer_malformed',
    });
    const slow = await rulesOf({ answers: {}, slow: true, many: 3000 }, RULES, { evaluation_ms: 5 });
    expect((await createMasker(slow))(one!, 'stdout')?.record.mask_error).toBe('policy_deadline_exceeded');
    const broken = await createMasker({ ...known, wasm: known.wasm.slice(0, 200) });
    expect(broken(one!, 'stdout')?.record).toMatchObject({ ...BARE, mask_error: 'policy_evaluation_failed' });
  });
});

test('only upsert adds what is not there, and a replacement shows that something was', async () => {
  const [one] = await copies(1);
  const ops = (op: string) =>
    ['/labels/tenant', '/trace_id', '/subject/id', '/disclosure/withheld/9/path'].map((path) => ({
      op,
      path,
      value: 'x',
    }));
  const masked = async (mask: unknown) =>
    (await createMasker(await answering({ mask })))(one!, 'stdout')!.record;
  expect(await masked(ops('replace'))).toMatchObject({
    labels: {},
    trace_id: null,
    subject: { id: 'x' },
    masked: ['/subject/id'],
  });
  expect(await masked(ops('upsert'))).toMatchObject({
    labels: { tenant: 'x' },
    trace_id: 'x',
    subject: { id: 'x' },
    masked: ['/labels/tenant', '/trace_id', '/subject/id'],
  });
});

test('a rule that is told only what it reads, and asked only once for what is alike, answers as about whole records', async () => {
  const sinks = {
    stdout: {
      drop: [{ outcome: 'denied', route: 'GET /api/customers/{id}' }, { kind: 'admin' }],
      replace: { '/subject/id': 'x' },
    },
  };
  const rules = await rulesOf({ sinks });
  expect(rules.reads).toContainEqual(['request', 'route']);
  const whole = await createMasker({ ...rules, reads: null });
  const part = await createMasker(rules);
  const [one] = await copies(1);
  const over = fc.record({
    kind: fc.constantFrom('disclosure', 'admin'),
    outcome: fc.constantFrom('denied', 'allowed'),
    purpose: fc.constantFrom(null, 'after_sales'),
    request: fc.constantFrom(null, one!.record.request, { ...one!.record.request, route: null }),
  });
  fc.assert(
    fc.property(over, (changes) => {
      const copy = { ...one!, record: { ...one!.record, ...changes } as DecisionRecord };
      expect(part(copy, 'stdout')).toEqual(whole(copy, 'stdout'));
    }),
  );
});

test('whatever a rule masks, the copy keeps its links, says what was masked, and every format takes it', async () => {
  const all = await copies(3);
  const step = fc.constantFrom(
    'subject',
    'id',
    'request',
    'input',
    'context',
    'properties',
    'roles',
    '0',
    '*',
    '',
    '~1',
    'policy',
    'timings_us',
    'disclosure',
    'withheld',
    'path',
    '__proto__',
    'length',
    'claimed',
    'trace_id',
  );
  const path = fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => `/${steps.join('/')}`);
  const entry = fc.oneof(
    path,
    fc.record({ op: fc.constant('remove'), path }),
    fc.record({ op: fc.constantFrom('upsert', 'replace'), path, value: fc.jsonValue({ maxDepth: 1 }) }),
  );
  const rules = await answering({ mask: [] });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (mask) => {
      const data = Buffer.from(JSON.stringify({ answers: { stdout: { mask } }, slow: false }));
      const masker = await createMasker({ ...rules, data });
      for (const copy of all) {
        const before = JSON.stringify(copy);
        const after = masker(copy, 'stdout')!;
        expect(JSON.stringify(copy)).toBe(before);
        expect(linksOf(after.record)).toEqual(linksOf(copy.record));
        const { erased, masked, mask_error } = after.record;
        expect(after === copy).toBe([erased, masked, mask_error].every((told) => told === undefined));
        expect(opaEvent(after.record, {}).decision_id).toBe(copy.record.decision_id);
        expect(syslogMessage(after, { facility: 13, structured_data_id: 'sluice@32473' } as never)).toContain(
          copy.record.decision_id,
        );
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

describe('the thread that copies', () => {
  async function open(sinks: readonly SinkConfig[]): Promise<OpenDecisionLog & { readonly base: string }> {
    const base = temporaryDirectory();
    const log = await createDecisionLog(
      { journal: { dir: './journal', instance: 'test' }, sinks: [...sinks] },
      { logger: silentLogger, baseDir: base, awaitsRules: true },
    );
    onTestFinished(() => log.close());
    return { ...log, base };
  }
  const seqsIn = (path: string): (DecisionRecord & CopyMask)[] =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as DecisionRecord & CopyMask)
      : [];

  test('sends nothing before it has a policy, follows the next one, and leaves the journal as it is', async () => {
    const to = await receiver();
    const http = { name: 'central', url: to.url, tls: {}, timeout: 2000, labels: {} };
    const log = await open([{ file: './copies.ndjson' }, { http }]);
    const path = join(log.base, 'copies.ndjson');
    const file = `file:${path}`;
    for (let i = 0; i < 10; i++) await log.append(draft(i));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([to.received.length, seqsIn(path).length]).toEqual([0, 0]);

    log.maskCopies(
      await rulesOf({ sinks: { [file]: { drop: [{ outcome: 'denied' }], erase: ['/subject'] } } }),
    );
    await vi.waitFor(() => expect(log.status().copies[file]).toMatchObject({ ok: true, lag: 0 }), 20_000);
    await vi.waitFor(() => expect(to.seqs()[log.origin]).toHaveLength(10), 20_000);
    expect(seqsIn(path).map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 7, 8, 9, 10]);
    expect(
      seqsIn(path).every(({ subject, erased }) => subject === null && erased?.includes('/subject')),
    ).toBe(true);
    expect(log.status().masked.get(file)).toEqual({ dropped: 2, masked: 8, failed: 0 });
    expect(log.status().masked.get('http:central')).toBeUndefined();

    log.maskCopies(await rulesOf({ answers: {}, slow: false }, RULES));
    await log.append(draft(11));
    await vi.waitFor(() => expect(seqsIn(path)).toHaveLength(9), 20_000);
    expect(seqsIn(path)[8]).toMatchObject({ ...BARE, seq: 11, mask_error: 'policy_answer_malformed' });
    await vi.waitFor(() => expect(log.status().masked.get(file)?.failed).toBe(1), 20_000);

    log.maskCopies(null);
    await log.append(draft(12));
    await vi.waitFor(() => expect(seqsIn(path)).toHaveLength(10), 20_000);
    await log.close();
    expect(await verify({ dir: join(log.base, 'journal'), key: null })).toMatchObject({
      ok: true,
      records: 12,
    });

    const report = await verifyFile(path);
    expect(report).toMatchObject({ ok: false, records: 1, problems_total: 9 });
    expect(new Set(report.problems.map(({ what }) => what))).toEqual(new Set(['masked_copy']));
    // Nobody makes an altered record pass for one that the policy has masked.
    const [, last] = [seqsIn(path)[8], seqsIn(path)[9]!];
    writeFileSync(path, `${JSON.stringify({ ...last, masked: [] })}\n`);
    expect(await verifyFile(path)).toMatchObject({ ok: false, records: 0, problems_total: 1 });
  }, 120_000);
});
