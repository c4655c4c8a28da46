/** A segment leaves the journal only if the archive has its bytes. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { records } from '../../src/decision-log/index/scan.ts';
import { archive } from '../../src/decision-log/journal/archive.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { draft } from '../support/decision-records.ts';
import { isRecord, linesOf, openJournal, temporaryDirectory } from '../support/journals.ts';

const segmentsOf = (dir: string): string[] =>
  readdirSync(dir)
    .filter((f) => f.endsWith('.jsonl'))
    .sort();

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
};

/** A journal of several segments, and a directory for its archive. */
async function journal() {
  const [dir, to] = [temporaryDirectory(), temporaryDirectory()];
  const log = await openJournal(dir, { segmentSize: 8000 });
  for (let i = 0; i < 20; i++) await log.append(draft(i));
  await log.close();
  const segments = segmentsOf(dir);
  expect(segments.length).toBeGreaterThan(2);
  const run = (over: Partial<Parameters<typeof archive>[0]> = {}) =>
    archive({
      dir,
      to,
      before: null,
      key: null,
      recipients: [],
      copied: async () => Number.POSITIVE_INFINITY,
      ...over,
    });
  return { dir, to, segments, run, copy: join(to, `${segments[0]!}.gz`) };
}

/** Nothing left the journal, and nothing states that it was to. */
async function expectUnmoved({ dir, to, segments }: Awaited<ReturnType<typeof journal>>): Promise<void> {
  expect(segmentsOf(dir)).toEqual(segments);
  for (const place of [dir, to]) expect(existsSync(join(place, 'archived.ndjson'))).toBe(false);
  expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 20 });
}

describe('archive', () => {
  test('moves all segments but the newest, byte for byte, and the journal still verifies', async () => {
    const { dir, to, segments, run } = await journal();
    const bytes = segments.map((f) => readFileSync(join(dir, f)));
    const moved = await run();
    expect(segmentsOf(dir)).toEqual(segments.slice(-1));
    expect(moved.map(({ file }) => file)).toEqual(segments.slice(0, -1).map((f) => `${f}.gz`));
    for (const [i, { file, bytes: size, first, last, records }] of moved.entries()) {
      expect(gunzipSync(readFileSync(join(to, file)))).toEqual(bytes[i]);
      expect(size).toBe(bytes[i]!.length);
      expect(records).toBe(last - first + 1);
    }
    expect(await verify({ dir, key: null })).toMatchObject({
      ok: true,
      origins: [{ archived: moved.at(-1)!.last }],
    });
    expect(readFileSync(join(to, 'archived.ndjson'))).toEqual(readFileSync(join(dir, 'archived.ndjson')));
  });

  test('leaves segments that are too new or that a store does not have', async () => {
    const it = await journal();
    expect(await it.run({ before: new Date(draft(0).timestamp) })).toEqual([]);
    expect(await it.run({ copied: async () => 1 })).toEqual([]);
    await expectUnmoved(it);
  });

  type Files = Awaited<ReturnType<typeof journal>>;
  /** Copies that stand in the archive already: what a disk, or another program, made of what was written. */
  const copies: {
    [what: string]: (packed: Buffer, plain: Buffer, files: Files) => Buffer | Promise<Buffer>;
  } = {
    'with a flipped byte in its middle': (packed) => flipped(packed, packed.length >> 1),
    'with a flipped byte in what was compressed': (_, plain) => gzipSync(flipped(plain, plain.length >> 1)),
    'cut in its middle': (packed) => packed.subarray(0, packed.length >> 1),
    'without its last byte': (packed) => packed.subarray(0, -1),
    'that is empty': () => Buffer.alloc(0),
    'cut at the end of a line': (_, plain) => gzipSync(plain.subarray(0, plain.lastIndexOf('\n', -2) + 1)),
    'followed by a shared document of the next segment': (_, plain, { dir, segments }) => {
      const next = linesOf(join(dir, segments[1]!))[0]!;
      expect(isRecord(next)).toBe(false);
      return gzipSync(Buffer.concat([plain, Buffer.from(`${next}\n`)]));
    },
    'that is an export of the same records': async (_, plain, { dir }) => {
      const n = plain.toString().split('\n').slice(0, -1).filter(isRecord).length;
      const lines: string[] = [];
      for await (const { line } of records(dir, {})) lines.push(`${line}\n`);
      return gzipSync(lines.slice(0, n).join(''));
    },
  };

  test.each(Object.keys(copies))('removes nothing for a copy %s', async (what) => {
    const files = await journal();
    const plain = readFileSync(join(files.dir, files.segments[0]!));
    const bad = await copies[what]!(gzipSync(plain), plain, files);
    writeFileSync(files.copy, bad);
    await expect(files.run()).rejects.toMatchObject({
      code: 'input_invalid',
      message: expect.stringContaining(`${files.copy} is not a copy of the segment ${files.segments[0]!}`),
    });
    expect(readFileSync(files.copy)).toEqual(bad);
    await expectUnmoved(files);
    rmSync(files.copy);
    expect(await files.run()).toHaveLength(files.segments.length - 1);
  });

  test('takes a copy that an interrupted run left, compressed by any program', async () => {
    const { dir, segments, copy, run } = await journal();
    writeFileSync(copy, gzipSync(readFileSync(join(dir, segments[0]!)), { level: 1 }));
    writeFileSync(`${copy}.new`, 'half a copy');
    expect(await run()).toHaveLength(segments.length - 1);
  });

  test('removes nothing from a journal that does not verify', async () => {
    const { dir, segments, run } = await journal();
    const path = join(dir, segments[0]!);
    const altered = flipped(readFileSync(path), 1000);
    writeFileSync(path, altered);
    await expect(run()).rejects.toMatchObject({ code: 'chain_broken' });
    expect(segmentsOf(dir)).toEqual(segments);
  });

  test('removes nothing if the archive cannot be written', async () => {
    const files = await journal();
    rmSync(files.to, { recursive: true });
    writeFileSync(files.to, '');
    await expect(files.run()).rejects.toMatchObject({ code: 'journal_unwritable' });
    expect(segmentsOf(files.dir)).toEqual(files.segments);
  });
});
