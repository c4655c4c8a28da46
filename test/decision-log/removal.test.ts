/** Content is removed, and every hash, proof and checkpoint stays valid; nothing is removed that nobody stated, or that a hold is about. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { feed } from '../../src/decision-log/index/feeder.ts';
import { openPostgresIndex } from '../../src/decision-log/index/postgres.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { archive } from '../../src/decision-log/journal/archive.ts';
import { newDecisionId } from '../../src/decision-log/ids.ts';
import { type Choice, chooser, type Hold, type Wanted } from '../../src/decision-log/removal/choice.ts';
import { remove, type RemovalOptions } from '../../src/decision-log/removal/remove.ts';
import { isIn, Ranges, union } from '../../src/decision-log/removal/statement.ts';
import { grow } from '../../src/decision-log/tree/log.ts';
import { hostInstance } from '../../src/decision-log/settings.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import {
  isRecord,
  linesOf,
  openJournal,
  recordsOf,
  temporaryDirectory,
  writeJournal,
} from '../support/journals.ts';
import { newSigner } from '../support/notes.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const KEY = Buffer.from('a key of sufficient length');

/** Removes what `choose` says, as the command does it. */
const removeFrom = (dir: string, choose: RemovalOptions['choose'], over: Partial<RemovalOptions> = {}) =>
  remove({
    dir,
    key: null,
    isDryRun: false,
    maxRecord: 256 << 10,
    choose,
    removal: {
      decision_id: newDecisionId(),
      at: '2026-12-01T00:00:00.000Z',
      by: 'han',
      basis: '个人信息保护法 第四十七条',
      filter: 'a test',
      data_subject: null,
    },
    copied: async () => Number.POSITIVE_INFINITY,
    async state(drafts) {
      const journal = await openJournal(dir, { instance: 'removals', key: over.key ?? null });
      for (const one of drafts) await journal.append(one);
      await journal.close();
    },
    forget: async () => undefined,
    ...over,
  });

const isOdd = ({ seq }: DecisionRecord): Choice => (seq % 2 === 1 ? 'remove' : 'stay');
const all = (): Choice => 'remove';

/** Of all chains but those of statements. */
const readable = (dir: string): readonly DecisionRecord[] =>
  recordsOf(
    dir,
    readdirSync(dir).filter((f) => f.startsWith('test-')),
  );
const textOf = (dir: string): string =>
  readdirSync(dir)
    .filter((f) => f.startsWith('test-') && f.includes('.jsonl'))
    .map((f) => readFileSync(join(dir, f), 'utf8'))
    .join('');
const hashesIn = (text: string): string[] =>
  [...text.matchAll(/"v":2,"hash":"([0-9a-f]{64})"/g)].map((m) => m[1]!);

describe('content that is removed', () => {
  test('is gone with its salt; all else stays, whatever is chosen, and the checkpoints hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 3000, max: 30_000 }),
        fc.boolean(),
        async (chosen, segmentSize, isLong) => {
          const dir = temporaryDirectory();
          const origin = await writeJournal(dir, chosen.length, { segmentSize });
          const settings = { dir, name: 'example.com/sluice', signer: newSigner() };
          await grow(origin, settings);
          const [before, text] = [readable(dir), textOf(dir)];
          // Several statements, where a record cannot hold all ranges.
          const maxRecord = isLong ? 8192 : 256;
          const report = await removeFrom(dir, ({ seq }) => (chosen[seq - 1] ? 'remove' : 'stay'), {
            maxRecord,
          });
          expect(report.records).toBe(chosen.filter((c) => c).length);
          const after = textOf(dir);
          expect(hashesIn(after)).toEqual(hashesIn(text));
          expect(readable(dir)).toEqual(before.filter(({ seq }) => !chosen[seq - 1]));
          for (const { seq, decision_id, justification } of before) {
            expect(after.includes(decision_id)).toBe(!chosen[seq - 1]);
            expect(after.includes(`"${justification}"`)).toBe(!chosen[seq - 1]);
          }
          if (chosen.every((c) => c)) expect(after).not.toContain('salt');
          const verified = await verify({ dir, key: null });
          expect(verified.problems).toEqual([]);
          expect(verified.origins.find((o) => o.origin === origin)).toMatchObject({
            records: chosen.length,
            removed: report.records,
            unremoved: 0,
          });
          expect(verified.removals.reduce((n, { records }) => n + records, 0)).toBe(report.records);
          // The chain goes on, and so does its tree.
          const journal = await openJournal(dir);
          expect(journal.origin).toBe(origin);
          await journal.append(draft(999));
          await journal.close();
          expect((await grow(origin, settings))!.checkpoint.size).toBe(chosen.length + 1);
          expect((await verify({ dir, key: null })).problems).toEqual([]);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('takes shared documents with it that no other record needs, and only those', async () => {
    const dir = temporaryDirectory();
    await writeJournal(dir, 14);
    // The callers are u-0 to u-6, each twice.
    await removeFrom(dir, (r) => (r.subject?.id === 'u-3' || r.seq === 1 ? 'remove' : 'stay'));
    expect(textOf(dir)).not.toContain('"u-3"');
    expect(textOf(dir)).toContain('"u-0"');
    expect(readable(dir)).toHaveLength(11);
  });

  test.each(['sqlite', 'postgres'])(
    'is forgotten by the index, and its position stays right when the chain goes on (%s)',
    async (kind) => {
      const dir = temporaryDirectory();
      await writeJournal(dir, 20, { segmentSize: 8000 });
      const schema = kind === 'sqlite' ? null : await freshSchema('removal');
      onTestFinished(async () => schema?.drop());
      const index =
        schema === null
          ? openSqliteIndex(join(dir, 'index.db'))
          : openPostgresIndex(POSTGRES, { schema: schema.schema });
      await feed(dir, index);
      const { chains } = await removeFrom(dir, isOdd, {
        forget: (origin, ranges) => index.forget(origin, ranges),
      });
      const more = await openJournal(dir, { segmentSize: 8000 });
      for (let i = 20; i < 30; i++) await more.append(draft(i));
      await more.close();
      await feed(dir, index);
      const { origin } = chains[0]!;
      const inJournal = (await scanQuery(dir).query({ origin, limit: 1000 })).decisions;
      expect(inJournal).toHaveLength(20);
      expect((await index.query({ origin, limit: 1000 })).decisions).toEqual(inJournal);
      const hashed = (n: number) => `hmac:0011aabb:${String(n).padStart(64, '0')}`;
      const about = async (n: number) => (await index.query({ data_subject: hashed(n) })).decisions.length;
      expect([await about(0), await about(1)]).toEqual([0, 1]);
      await index.close();
    },
  );

  test('is not looked for where a process writes, nor where a store has no copy yet', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir, { segmentSize: 8000 });
    for (let i = 0; i < 20; i++) await journal.append(draft(i));
    const files = readdirSync(dir)
      .filter((f) => f.endsWith('.jsonl'))
      .sort();
    const newest = readFileSync(join(dir, files.at(-1)!), 'utf8');
    expect(await removeFrom(dir, all, { copied: async () => 0 })).toMatchObject({
      records: 0,
      uncopied: [files[0]],
    });
    const report = await removeFrom(dir, all);
    expect(report).toMatchObject({ open: [files.at(-1)], uncopied: [] });
    expect(readFileSync(join(dir, files.at(-1)!), 'utf8')).toBe(newest);
    expect(readable(dir)).toHaveLength(20 - report.records);
    await journal.append(draft(20));
    await journal.close();
    expect((await verify({ dir, key: null })).problems).toEqual([]);
  });

  test('is looked for in a segment that its process has ended, even if it has written nothing since', async () => {
    const dir = temporaryDirectory();
    const clock = { ...systemClock, by: 0, micros: () => systemClock.micros() + clock.by };
    const journal = await openJournal(dir, { segmentAge: 1000, probeInterval: 5, clock });
    for (let i = 0; i < 6; i++) await journal.append(draft(i));
    expect((await removeFrom(dir, all)).records).toBe(0);
    clock.by += 1e6;
    const index = openSqliteIndex(join(dir, 'index.db'));
    await feed(dir, index);
    await vi.waitFor(() => expect(readdirSync(dir).filter((f) => f.endsWith('.jsonl'))).toHaveLength(2));
    expect(await removeFrom(dir, isOdd)).toMatchObject({ records: 3, open: [] });
    for (let i = 6; i < 9; i++) await journal.append(draft(i));
    await journal.close();
    await feed(dir, index);
    expect(await index.status()).toMatchObject({ records: 10 });
    await index.close();
    expect(readable(dir).map(({ seq }) => seq)).toEqual([2, 4, 6, 7, 8, 9]);
    expect((await verify({ dir, key: null })).problems).toEqual([]);
  });

  test('may be that of whole segments, which are archived all the same', async () => {
    const [dir, to] = [temporaryDirectory(), temporaryDirectory()];
    await writeJournal(dir, 20, { segmentSize: 8000 });
    await removeFrom(dir, all);
    const run = (copied: number) =>
      archive({ dir, to, before: new Date(0), key: null, recipients: [], copied: async () => copied });
    expect(await run(1)).toEqual([]);
    expect((await run(20)).length).toBeGreaterThan(1);
    expect((await verify({ dir, key: null })).problems).toEqual([]);
  });

  test('can be archived, and its statements stay', async () => {
    const [dir, to] = [temporaryDirectory(), temporaryDirectory()];
    await writeJournal(dir, 20, { segmentSize: 8000 });
    await removeFrom(dir, isOdd);
    const moved = await archive({
      dir,
      to,
      before: null,
      key: null,
      recipients: [],
      copied: async () => Number.POSITIVE_INFINITY,
    });
    expect(moved.length).toBeGreaterThan(1);
    expect(moved.every(({ origin }) => origin.startsWith('test-'))).toBe(true);
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, removals: [{ records: 10 }] });
    // A file alone does not tell whether the removal was stated; with the journal it is known.
    const files = moved.map(({ file }) => join(to, file));
    const alone = await runCommand(['decisions', 'verify', ...files]);
    expect([alone.code, alone.stdout]).toEqual([1, expect.stringContaining('name it with --journal')]);
    expect(await runCommand(['decisions', 'verify', ...files, '--journal', dir])).toMatchObject({ code: 0 });
  });
});

describe('verify', () => {
  async function removed(key: Buffer | null = null) {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 9, { key });
    await removeFrom(dir, isOdd, { key });
    const [statements] = readdirSync(dir).filter((f) => /^removals-.*\.jsonl$/.test(f));
    return { dir, origin, statements: join(dir, statements!) };
  }

  test('says what was removed, when, by whom and on which basis', async () => {
    const { dir, origin } = await removed();
    const { code, stdout } = await runCommand(['decisions', 'verify', '--journal', dir], { columns: 200 });
    expect(code).toBe(0);
    expect(stdout).toContain(
      `Removed on 2026-12-01 00:00:00 by han: content of 5 records of ${origin}, a test. Basis: 个人信息保护法 第四十七条 (decision `,
    );
  });

  test('names content that no statement is about', async () => {
    const { dir, statements } = await removed();
    const path = join(dir, readdirSync(dir).find((f) => f.startsWith('test-') && f.endsWith('.jsonl'))!);
    const lines = linesOf(path);
    const at = lines.findIndex((line) => isRecord(line) && line.includes('","s":4,'));
    writeFileSync(
      path,
      `${lines.with(at, `${lines[at]!.slice(0, lines[at]!.indexOf(',"payload":'))}}`).join('\n')}\n`,
    );
    expect((await verify({ dir, key: null })).problems).toMatchObject([
      { what: 'payload_removed', seq: 4, message: expect.stringContaining('No statement of removal') },
    ]);
    for (const side of [statements, statements.replace(/\.\d+\.jsonl$/, '.head')]) rmSync(side);
    expect((await verify({ dir, key: null })).problems_total).toBeGreaterThan(3);
  });

  test('does not accept a statement that the head does not cover, or that stands in another chain', async () => {
    for (const instance of ['removals', 'test']) {
      const dir = temporaryDirectory();
      await writeJournal(dir, 9);
      const pristine = temporaryDirectory();
      cpSync(dir, pristine, { recursive: true });
      const heads = (): string[] =>
        readdirSync(dir).filter((f) => f.startsWith('removals-') && f.endsWith('.head'));
      // A head that covers nothing, and a statement appended by somebody who cannot sign heads.
      await (await openJournal(dir, { instance: 'removals', key: KEY })).close();
      const [head] = heads();
      const signed = readFileSync(join(dir, head!));
      await removeFrom(dir, isOdd, {
        async state(drafts) {
          const journal = await openJournal(dir, { instance, key: instance === 'removals' ? KEY : null });
          for (const one of drafts) await journal.append(one);
          await journal.close();
        },
      });
      if (instance === 'removals') writeFileSync(join(dir, head!), signed);
      const report = await verify({ dir, key: null });
      expect(report.problems.map(({ what }) => what)).toContain('payload_removed');
      expect(report.removals).toEqual([]);
    }
  });

  test('says that a removal was interrupted, and the same removal completes it', async () => {
    for (const at of ['state', 'forget'] as const) {
      const dir = temporaryDirectory();
      await writeJournal(dir, 9);
      const stopped = new Error('stopped');
      const interrupted = removeFrom(dir, isOdd, {
        forget: async () => {
          throw stopped;
        },
        ...(at === 'state'
          ? {
              state: async () => {
                throw stopped;
              },
            }
          : {}),
      });
      await expect(interrupted).rejects.toBe(stopped);
      const { code, stdout } = await runCommand(['decisions', 'verify', '--journal', dir], { columns: 200 });
      expect(code).toBe(0);
      expect(stdout.includes('5 records stated as removed still have their content')).toBe(at === 'forget');
      expect(await removeFrom(dir, isOdd)).toMatchObject({ records: 5 });
      expect(await verify({ dir, key: null })).toMatchObject({ ok: true });
      expect(readable(dir)).toHaveLength(4);
    }
  });
});

describe('a choice', () => {
  const record = (n: number, over: Partial<DecisionRecord> = {}) =>
    ({ ...draft(n), origin: 'test', seq: n + 1, prev_hash: '', hash: '', ...over }) as DecisionRecord;
  const NOW = Date.parse('2031-06-30T12:00:00Z');
  const id = (n: number) => `hmac:0011aabb:${String(n).padStart(64, '0')}`;
  const choose = (wanted: Partial<Wanted>, one: DecisionRecord, ...holds: Hold[]) =>
    chooser({ retention: null, until: null, dataSubject: null, shared: false, ...wanted }, holds, NOW)(one);
  const at = (timestamp: string, kind: DecisionRecord['kind'] = 'disclosure') =>
    record(1, { timestamp, kind });

  test('is about records older than the retention of their kind', () => {
    const retention = { keep: 'P3Y', kinds: { consent: 'P5Y' }, categories: {} };
    expect(choose({ retention }, at('2028-06-29T23:59:59.999Z'))).toBe('remove');
    expect(choose({ retention }, at('2028-06-30T00:00:00.000Z'))).toBe('stay');
    expect(choose({ retention }, at('2026-06-29T23:59:59Z', 'consent'))).toBe('remove');
    expect(choose({ retention }, at('2026-06-30T00:00:00Z', 'consent'))).toBe('stay');
  });

  test('is about records older than the longest retention that is given for what they are about', () => {
    const categories = { health: 'P1Y', 'financial/4': 'P10Y', financial: 'P4Y' };
    const retention = { keep: 'P3Y', kinds: { disclosure: 'P2Y' }, categories };
    const of = (years: number, ...classes: string[]): string => {
      const by_class = Object.fromEntries(classes.map((name) => [name, { drop: 1 }]));
      const timestamp = new Date(Date.UTC(2031 - years, 5, 29, 23)).toISOString();
      return choose(
        { retention },
        record(1, { timestamp, disclosure: { ...draft(1).disclosure!, by_class } }),
      ) as string;
    };
    const kept = (...classes: string[]) =>
      [1, 2, 3, 4, 9, 10].filter((years) => of(years, ...classes) === 'stay').at(-1);
    expect(kept('identity/3')).toBe(1);
    expect(kept('identity/3', 'health/4')).toBeUndefined();
    expect(kept('health/4', 'financial/2')).toBe(3);
    expect(kept('health/4', 'financial/4', 'financial/2')).toBe(9);
    expect(choose({ retention, until: 0 }, record(1))).toBe('stay');
  });

  test('is about records of a data subject, also as the resource; those of others, too, stay', () => {
    expect(choose({ dataSubject: id(4) }, record(4))).toBe('remove');
    expect(choose({ dataSubject: id(4) }, record(5))).toBe('stay');
    const resource = { type: 'customer', id: id(4), properties: {} };
    expect(choose({ dataSubject: id(4) }, record(5, { disclosure: null, resource }))).toBe('remove');
    const disclosure = { ...draft(4).disclosure!, data_subjects: [id(4), id(5)] };
    expect(choose({ dataSubject: id(4) }, record(4, { disclosure }))).toBe('shared');
    expect(choose({ dataSubject: id(4), shared: true }, record(4, { disclosure }))).toBe('remove');
  });

  test('leaves what a hold is about, if all its conditions apply', () => {
    const basis = '保险法 第八十七条';
    const held = { held: basis };
    const until = NOW;
    const one = record(4);
    for (const hold of [
      {},
      { data_subject: id(4) },
      { subject: one.subject!.id },
      { decision: one.decision_id },
      { since: '2026-11-22', until: '2026-11-22' },
      { subject: one.subject!.id, data_subject: id(4), since: '2026-11-22T08:00:00Z' },
    ])
      expect(choose({ until }, one, { basis, ...hold })).toEqual(held);
    for (const hold of [
      { data_subject: id(5) },
      { subject: 'u-17' },
      { decision: newDecisionId() },
      { until: '2026-11-21' },
      { since: '2026-11-23' },
      { subject: one.subject!.id, data_subject: id(5) },
    ])
      expect(choose({ until }, one, { basis, ...hold })).toBe('remove');
  });

  test('leaves what a start states of the chains', () => {
    expect(choose({ until: NOW }, record(1, { kind: 'admin', subject: null }))).toBe('stay');
  });
});

test('ranges hold exactly the seqs that were added, in any union', () => {
  const seqs = fc.uniqueArray(fc.integer({ min: 1, max: 40 })).map((list) => list.sort((a, b) => a - b));
  const rangesOf = (list: readonly number[]) => {
    const ranges = new Ranges();
    for (const seq of list) ranges.add(seq);
    return ranges.list;
  };
  fc.assert(
    fc.property(fc.array(seqs, { maxLength: 4 }), (lists) => {
      const joined = union(lists.map(rangesOf));
      for (let seq = 0; seq <= 41; seq++)
        expect(isIn(joined, seq)).toBe(lists.some((list) => list.includes(seq)));
    }),
  );
});

describe('decisions remove', () => {
  const CONFIG = (more: string) => `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: erp, sha256: "${'0'.repeat(64)}", subject: { id: erp, organization: internal } }] }
policy: { dir: . }
consent: { file: ./consents.yaml }
routes: [{ match: "GET /x", upstream: crm, resource: x, action: read }]
decision_log:
  journal: { dir: ./journal, min_free: 64KiB }
  index: { sqlite: ./index.db }
${more}`;

  async function configured(more = '') {
    const dir = temporaryDirectory();
    writeFileSync(join(dir, 'sluice.yaml'), CONFIG(more));
    await writeJournal(join(dir, 'journal'), 12, { segmentSize: 8000 });
    const run = (...argv: string[]) => runCommand(['decisions', ...argv], { cwd: dir, columns: 120 });
    return { dir, journal: join(dir, 'journal'), run };
  }
  const HELD = `  retention: { keep: P5Y }
  holds:
    - { basis: "case 17", data_subject: "hmac:0011aabb:${String(3).padStart(64, '0')}" }
`;

  test('says before what it would remove, removes it, records who did, and can be repeated', async () => {
    const { journal, run } = await configured(HELD);
    const asked = ['remove', '--until', '2026-12-01', '--basis', '档案管理规定', '--by', 'han'];
    const before = textOf(journal);
    const dry = await run(...asked, '--dry-run');
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(dry.stdout).toContain('The content of 11 records would be removed; the hashes stay.\n');
    expect(textOf(journal)).toBe(before);
    const { code, stdout } = await run(...asked);
    expect(code).toBe(0);
    expect(stdout).toContain('The content of 11 records was removed; the hashes stay.\n');
    expect(stdout).toContain('Kept: 1 record under a hold: case 17\n');
    const verified = await run('verify');
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.stdout).toContain('by han: content of 11 records of test-');
    for (const question of [
      ['query', '--count-by', 'outcome'],
      ['show', newDecisionId()],
      ['statement', `hmac:0011aabb:${'0'.repeat(64)}`],
      ['report', 'partners'],
      ['export'],
    ])
      expect((await run(...question)).stderr, question[0]).toContain(
        'the content of records was removed from this log, and answers are without it',
      );
    const stated = ['han', '档案管理规定', '11'];
    const gone = await run('show', newDecisionId());
    for (const text of stated) expect(gone.stderr).toContain(text);
    for (const form of ['terminal', 'html', 'csv', 'json']) {
      const { stdout: page } = await run('report', 'partners', '--format', form);
      for (const text of stated) expect(page, form).toContain(text);
    }
    const person = `hmac:0011aabb:${'0'.repeat(64)}`;
    for (const form of [[], ['--html'], ['--json']]) {
      const { stdout: page } = await run('statement', person, ...form);
      for (const text of ['档案管理规定', '11', '2026-']) expect(page, form.join()).toContain(text);
      expect(page).not.toContain('han ');
    }
    const queried = await run('query', '--action', 'decisions.remove', '--json');
    expect(JSON.parse(queried.stdout)).toMatchObject({
      kind: 'admin',
      subject: { id: 'han' },
      justification: '档案管理规定',
      input: { removal: { records: 11, seqs: '1-3,5-12', held: { 'case 17': 1 } } },
    });
    expect((await run('query', '--kind', 'disclosure', '--json')).stdout.trim().split('\n')).toHaveLength(1);
    expect((await run(...asked)).stdout).toContain('The content of 0 records was removed');
  });

  test('removes what is older than the configured retention, and nothing else', async () => {
    const { journal, run } = await configured(HELD);
    expect((await run('remove')).stdout).toContain('The content of 0 records was removed');
    expect(readable(journal)).toHaveLength(12);
    expect(existsSync(join(journal, 'data-subject.key'))).toBe(false);
  });

  test.each([
    [['remove'], 'Nothing says what to remove'],
    [['remove', '--until', '1d'], 'need --basis'],
    [['remove', '--data-subject', 'C1', '--basis', 'x'], 'give the key'],
    [['remove', '--shared', '--until', '1d', '--basis', 'x'], '--shared goes with --data-subject'],
  ])('refuses %j', async (argv, said) => {
    const { run } = await configured();
    const { code, stderr } = await run(...argv);
    expect(code).toBe(2);
    expect(stderr).toContain(said);
  });

  test('a hold with a date that does not exist is refused', async () => {
    const { run } = await configured('  holds: [{ basis: x, until: "2026-02-30" }]\n');
    const { code, stderr } = await run('remove', '--until', '1d', '--basis', 'x');
    expect(code).not.toBe(0);
    expect(stderr).toContain('is not a date of the calendar');
  });

  test.each(['removals', 'audit', 'audit-east'])(
    'an instance may not have the name of chains of commands: %s',
    async (name) => {
      const cwd = temporaryDirectory();
      writeFileSync(
        join(cwd, 'sluice.yaml'),
        `version: 1\ndecision_log: { journal: { dir: ./journal, instance: ${name} } }\n`,
      );
      const { code, stderr } = await runCommand(['decisions', 'query'], { cwd });
      expect(code).toBe(3);
      expect(stderr).toContain('is reserved');
      expect(existsSync(join(cwd, 'journal'))).toBe(false);
    },
  );

  test('a host with such a name begins a chain of another', () => {
    expect(['removals', 'Audit.example', 'auditor', 'crm-1'].map(hostInstance)).toEqual([
      'host-removals',
      'host-Audit.example',
      'auditor',
      'crm-1',
    ]);
  });
});
