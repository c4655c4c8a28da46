import { hash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { feed } from '../../src/decision-log/index/feeder.ts';
import type { Position, Store } from '../../src/decision-log/index/store.ts';
import { GENESIS } from '../../src/decision-log/journal/chain.ts';
import { readCopy } from '../../src/decision-log/journal/copy.ts';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { isHeld } from '../../src/decision-log/journal/lock.ts';
import { verifyFile } from '../../src/decision-log/verify/file.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import {
  isRecord,
  linesOf,
  openJournal,
  recordsOf,
  temporaryDirectory,
  writeJournal,
} from '../support/journals.ts';

const HOUR = 3_600_000;

describe('a journal', () => {
  test('chains records in the order of the appends, each with the hash of the one before', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    const records = await Promise.all(Array.from({ length: 50 }, (_, i) => journal.append(draft(i))));
    await journal.close();
    expect(records.map((r) => r.seq)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(records.map((r) => r.prev_hash)).toEqual([GENESIS, ...records.slice(0, -1).map((r) => r.hash)]);
    expect(recordsOf(dir)).toEqual(records.map((r) => JSON.parse(JSON.stringify(r))));
  });

  test('writes lines that can be checked with SHA-256 alone', async () => {
    const dir = temporaryDirectory();
    await writeJournal(dir, 3);
    const [file] = readdirSync(dir).filter((f) => f.endsWith('.jsonl'));
    for (const line of linesOf(join(dir, file!))) {
      const [, header, digest, body] = /^(.*),"hash":"(.*)",("payload":.*)$/.exec(line)!;
      expect(hash('sha256', `${header}}`)).toBe(digest);
      expect(hash('sha256', `{${body}`)).toBe((JSON.parse(line) as { c: string }).c);
    }
  });

  test('acknowledges only records that are in the file', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    onTestFinished(() => journal.close());
    for (let i = 0; i < 20; i++) {
      const { hash: digest } = await journal.append(draft(i));
      expect(recordsOf(dir).at(-1)!.hash).toBe(digest);
    }
  });

  test('continues its chain after a restart', async () => {
    const dir = temporaryDirectory();
    const first = await writeJournal(dir, 10);
    expect(await writeJournal(dir, 10)).toBe(first);
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 20 });
  });

  test('begins a new segment when one is full, and continues the chain in it', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir, { segmentSize: 5000 });
    for (let i = 0; i < 30; i++) await journal.append(draft(i));
    await journal.close();
    const segments = readdirSync(dir)
      .filter((f) => f.endsWith('.jsonl'))
      .sort();
    expect(segments.length).toBeGreaterThan(3);
    expect(recordsOf(dir).map((r) => r.seq)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    await writeJournal(dir, 5, { segmentSize: 5000 });
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 35 });
  });

  test('begins a new segment when one is old, also while nothing is written and after a restart', async () => {
    const dir = temporaryDirectory();
    const clock = { ...systemClock, by: 0, micros: () => systemClock.micros() + clock.by };
    const segments = (): string[] => readdirSync(dir).filter((f) => f.endsWith('.jsonl'));
    const over = { segmentAge: HOUR, probeInterval: 5, clock };
    const journal = await openJournal(dir, over);
    await journal.append(draft(1));
    clock.by += (HOUR - 60_000) * 1000;
    await journal.append(draft(2));
    expect(segments()).toHaveLength(1);
    clock.by += 60_000 * 1000;
    await journal.append(draft(3));
    expect(segments()).toHaveLength(2);
    clock.by += HOUR * 1000;
    await vi.waitFor(() => expect(segments()).toHaveLength(3));
    const empty = readFileSync(join(dir, segments().sort().at(-1)!), 'utf8');
    await journal.append(draft(4));
    await journal.close();
    expect([empty, segments()]).toEqual(['', expect.objectContaining({ length: 3 })]);
    // The records are of a week ago, so the segment is old when it is continued, whatever this clock says.
    const later = { ...systemClock, now: () => new Date(Date.UTC(2026, 11, 22)) };
    await writeJournal(dir, 1, { ...over, clock: later, probeInterval: 60_000 });
    expect(segments()).toHaveLength(4);
    // A clock that was set back makes nothing old.
    await writeJournal(dir, 1, { ...over, clock: { ...systemClock, now: () => new Date(0) } });
    expect(segments()).toHaveLength(4);
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 6 });
  });

  test('begins a new segment when one has 8 MiB of shared documents, also those from before a restart', async () => {
    const dir = temporaryDirectory();
    /** Each record has a subject of its own with 100 kB, and shares what else it refers to with the others. */
    const one = (i: number) => {
      const base = draft(1);
      return draft(1, {
        subject: {
          ...base.subject!,
          id: `u-${i}`,
          properties: { ...base.subject!.properties, of: 'x'.repeat(100_000) },
        },
        input: null,
      });
    };
    const records = 200;
    for (const [from, to] of [
      [0, 60],
      [60, 130],
      [130, records],
    ] as const) {
      const journal = await openJournal(dir, { maxRecord: 1 << 20 });
      await Promise.all(Array.from({ length: to - from }, (_, i) => journal.append(one(from + i))));
      await journal.close();
    }
    const segments = readdirSync(dir)
      .filter((f) => f.endsWith('.jsonl'))
      .sort();
    const documents = segments.map((file) =>
      linesOf(join(dir, file))
        .filter((line) => !isRecord(line))
        .map((line) =>
          line.slice(line.indexOf('"payload":') + '"payload":'.length, line.indexOf(',"salt":')),
        ),
    );
    // The segment ends with the record that reaches the bound, whatever a process wrote of it.
    const sizes = documents.map((texts) => texts.reduce((n, text) => n + text.length, 0));
    expect(sizes).toHaveLength(3);
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(8 << 20);
      expect(size).toBeLessThan((8 << 20) + 110_000);
    }
    for (const [i, texts] of documents.entries()) {
      expect(new Set(texts).size).toBe(texts.length);
      expect(texts.filter((text) => text.startsWith('{"action":'))).toHaveLength(1);
      expect(await verifyFile(join(dir, segments[i]!))).toMatchObject({ ok: true });
    }
    expect(recordsOf(dir).map((r) => r.subject!.id)).toEqual(
      Array.from({ length: records }, (_, i) => `u-${i}`),
    );
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records });
    const seqs: number[] = [];
    const positions = new Map<string, Position>();
    const store: Store = {
      name: 'memory',
      positions: async () => positions,
      async take(origin, copies, position) {
        for (const { line } of copies) seqs.push(readCopy(line)!.seq);
        positions.set(origin, position);
      },
      close: async () => undefined,
    };
    expect(await feed(dir, store)).toMatchObject({ lag: 0, refused: 0 });
    expect(seqs).toEqual(Array.from({ length: records }, (_, i) => i + 1));
  });

  test('has its own chain if another journal is open in the same directory', async () => {
    const dir = temporaryDirectory();
    const [a, b] = [await openJournal(dir), await openJournal(dir)];
    expect(a.origin).not.toBe(b.origin);
    expect(isHeld(join(dir, `${a.origin}.lock`))).toBe(true);
    await Promise.all([a.append(draft(1)), b.append(draft(2)), a.append(draft(3))]);
    await Promise.all([a.close(), b.close()]);
    expect(isHeld(join(dir, `${a.origin}.lock`))).toBe(false);
    const again = await openJournal(dir);
    expect([a.origin, b.origin]).toContain(again.origin);
    await again.close();
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 3 });
  });

  test('does not start if it may not write to the directory', async () => {
    const dir = temporaryDirectory();
    writeFileSync(join(dir, 'file'), '');
    await expect(openJournal(join(dir, 'file', 'journal'))).rejects.toMatchObject({
      code: 'journal_unwritable',
    });
    await expect(openJournal('/proc/sluice')).rejects.toMatchObject({ code: 'journal_unwritable' });
  });

  test('splits a record that is too long into several that add up', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir, { maxRecord: 8192 });
    const d = draft(1);
    const subjects = Array.from({ length: 500 }, (_, i) => `hmac:0011aabb:${String(i).padStart(64, '0')}`);
    const last = await journal.append({
      ...d,
      input: { ...d.input, more: 'x'.repeat(50_000) },
      disclosure: { ...d.disclosure!, records: 500, data_subjects: subjects },
    });
    await journal.append(draft(2));
    await journal.close();
    const records = recordsOf(dir).filter((r) => r.decision_id === d.decision_id);
    expect(records.length).toBeGreaterThan(5);
    expect(records.at(-1)!.hash).toBe(last.hash);
    expect(records.flatMap((r) => r.disclosure!.data_subjects)).toEqual(subjects);
    expect(records.reduce((n, r) => n + r.disclosure!.records, 0)).toBe(500);
    expect(records.map((r) => r.part.last)).toEqual(records.map((_, i) => i === records.length - 1));
    expect(records[0]!.input).toMatchObject({ omitted: { bytes: expect.any(Number) } });
    for (const r of records) expect(Buffer.byteLength(JSON.stringify(r))).toBeLessThanOrEqual(8192);
    expect((await verify({ dir, key: null })).ok).toBe(true);
  });

  test('acknowledges written records in interval mode, and flushes them at the latest when it is closed', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir, { durability: 'interval' });
    for (let i = 0; i < 30; i++) {
      await journal.append(draft(i));
      expect(recordsOf(dir)).toHaveLength(i + 1);
    }
    await journal.close();
    expect(await verify({ dir, key: null })).toMatchObject({
      ok: true,
      records: 30,
      origins: [{ beyond_head: 0 }],
    });
  });

  test('rejects appends after it was closed', async () => {
    const journal = await openJournal(temporaryDirectory());
    await journal.close();
    await expect(journal.append(draft(1))).rejects.toMatchObject({ code: 'journal_unwritable' });
  });

  test('rejects a draft that JSON cannot represent, and accepts the next', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    await expect(journal.append(draft(1, { timings_us: { a: Number.NaN } }))).rejects.toMatchObject({
      code: 'input_invalid',
    });
    expect((await journal.append(draft(2))).seq).toBe(1);
    await journal.close();
  });

  test('notices that its segment was removed while in use', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    onTestFinished(() => journal.close());
    const { origin } = await journal.append(draft(1));
    rmSync(join(dir, `${origin}.0000000000000001.jsonl`));
    await expect.poll(() => journal.fault?.code).toBe('journal_unwritable');
    await expect.poll(() => journal.fault).toBe(null);
    await journal.append(draft(2));
    const report = await verify({ dir, key: null });
    expect(report.problems[0]).toMatchObject({ what: 'records_missing', seq: 1 });
  });
});

describe('a torn tail', () => {
  const torn = async (cut: number) => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    for (let i = 0; i < 5; i++) await journal.append(draft(i));
    await journal.close();
    const file = join(dir, `${journal.origin}.0000000000000001.jsonl`);
    const half = linesOf(file).filter(isRecord)[2]!.slice(0, cut);
    appendFileSync(file, half);
    return { dir, origin: journal.origin, file, half };
  };

  test.each([1, 400, 700])(
    'of %i bytes is reported; the next start moves it to the quarantine directory, records it, and continues the chain',
    async (cut) => {
      const { dir, origin, half, file } = await torn(cut);
      expect(await verify({ dir, key: null })).toMatchObject({
        ok: false,
        records: 5,
        problems: [{ what: 'torn_tail', line: linesOf(file).length + 1 }],
      });

      const log = await createDecisionLog(
        { journal: { dir, instance: 'test', min_free: 65_536 } },
        { logger: silentLogger },
      );
      expect(log.origin).toBe(origin);
      await log.append(draft(6));
      await log.close();

      const [aside] = readdirSync(join(dir, 'quarantine'));
      expect(readFileSync(join(dir, 'quarantine', aside!), 'utf8')).toBe(half);
      const records = recordsOf(dir);
      expect(records[5]).toMatchObject({
        kind: 'admin',
        reasons: [{ code: 'journal_opened' }, { code: 'journal_torn_tail' }],
      });
      expect(records[5]!.reasons[1]!.message).toContain(hash('sha256', half));
      expect(await verify({ dir, key: null })).toMatchObject({
        ok: true,
        records: 7,
        origins: [{ torn_tails: 1 }],
      });
    },
  );

  test('of a second crash at the same seq does not replace the first in the quarantine directory', async () => {
    const { dir, file, half } = await torn(100);
    await (await openJournal(dir)).close();
    appendFileSync(file, half);
    await (await openJournal(dir)).close();
    expect(readdirSync(join(dir, 'quarantine'))).toHaveLength(2);
  });
});

describe('a damaged chain', () => {
  const damage: { [how: string]: (file: string, origin: string, dir: string) => void } = {
    'a changed byte': (file) =>
      writeFileSync(file, readFileSync(file, 'utf8').replace('after_sales', 'after_sale5')),
    'its last record gone': (file) => {
      const text = readFileSync(file, 'utf8').trimEnd();
      truncateSync(file, Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1)));
    },
    'its segment gone': (file) => rmSync(file),
    'its head gone': (_f, origin, dir) => rmSync(join(dir, `${origin}.head`)),
    'its segment emptied': (file) => truncateSync(file, 0),
  };
  test.each(Object.keys(damage))(
    'with %s is left as it is; the start begins another and records that',
    async (how) => {
      const dir = temporaryDirectory();
      const origin = await writeJournal(dir, 5);
      damage[how]!(join(dir, `${origin}.0000000000000001.jsonl`), origin, dir);
      const before = readdirSync(dir)
        .filter((f) => f.endsWith('.jsonl'))
        .map((f) => readFileSync(join(dir, f), 'utf8'));
      const log = await createDecisionLog(
        { journal: { dir, instance: 'test', min_free: 65_536 } },
        { logger: silentLogger },
      );
      expect(log.origin).not.toBe(origin);
      await log.close();
      const opening = recordsOf(dir).find((r) => r.origin === log.origin);
      expect(opening?.reasons).toContainEqual(expect.objectContaining({ code: 'chain_broken' }));
      for (const text of before) {
        const now = readdirSync(dir)
          .filter((f) => f.startsWith(origin) && f.endsWith('.jsonl'))
          .map((f) => readFileSync(join(dir, f), 'utf8'));
        expect(now).toContain(text);
      }
      expect((await verify({ dir, key: null })).ok).toBe(false);
    },
  );
});

test('verify detects a removed chain by the heads that other chains recorded', async () => {
  const dir = temporaryDirectory();
  const config = { journal: { dir, instance: 'test', min_free: 65_536 } };
  const a = await createDecisionLog(config, { logger: silentLogger });
  await a.append(draft(1));
  await a.append(draft(2));
  const b = await createDecisionLog(config, { logger: silentLogger });
  await Promise.all([a.close(), b.close()]);
  expect((await verify({ dir, key: null })).ok).toBe(true);
  mkdirSync(join(dir, 'away'));
  for (const file of readdirSync(dir).filter((f) => f.startsWith(a.origin)))
    renameSync(join(dir, file), join(dir, 'away', file));
  expect((await verify({ dir, key: null })).problems).toMatchObject([
    { what: 'origin_missing', origin: a.origin },
  ]);
});
