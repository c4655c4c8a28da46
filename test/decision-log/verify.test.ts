/** Design §7.3: a record altered, removed or reordered never goes unnoticed. */
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { formatAnchor, parseHead, readAnchors } from '../../src/decision-log/verify/anchor.ts';
import { canonical } from '../../src/decision-log/journal/canonical.ts';
import { GENESIS } from '../../src/decision-log/journal/chain.ts';
import { hashOf } from '../../src/decision-log/journal/line.ts';
import { SegmentReader } from '../../src/decision-log/journal/reader.ts';
import { Sealer } from '../../src/decision-log/journal/sealer.ts';
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

const KEY = Buffer.from('a key for the tests of the chain');
const files = (dir: string): string[] =>
  readdirSync(dir)
    .filter((f) => /\.(jsonl|head)$/.test(f))
    .sort();
const segments = (dir: string): string[] => files(dir).filter((f) => f.endsWith('.jsonl'));

/** The line with another payload, and with the commitment and hash of that. */
function forged(line: string, payload: string): string {
  const { a, o, p, s, salt } = JSON.parse(line) as { [member: string]: string };
  const body = `{"payload":${payload},"salt":"${salt}"}`;
  const c = createHash('sha256').update(body).digest('hex');
  const header = { after: a ?? null, document: null, origin: o!, prev: p!, seq: Number(s) };
  const head = canonical({ a, c, o, p, s, v: 2 });
  return `${head.slice(0, -1)},"hash":"${hashOf(header, c)}",${body.slice(1)}`;
}

/** Three segments and more, two chains. */
async function journal(dir: string, key: Buffer | null = null): Promise<void> {
  const a = await openJournal(dir, { segmentSize: 4000, key });
  const b = await openJournal(dir, { segmentSize: 4000, key });
  for (let i = 0; i < 14; i++) await a.append(draft(i));
  for (let i = 0; i < 3; i++) await b.append(draft(i));
  await Promise.all([a.close(), b.close()]);
}

describe('verify', () => {
  let original: string;
  beforeAll(async () => {
    const { mkdtempSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    original = mkdtempSync(join(tmpdir(), 'sluice-verify-'));
    await journal(original);
    return () => rmSync(original, { recursive: true, force: true });
  });

  const copy = (): string => {
    const dir = temporaryDirectory();
    cpSync(original, dir, { recursive: true });
    return dir;
  };

  test('reports no problem in an unchanged journal, and its number of records', async () => {
    const report = await verify({ dir: original, key: null });
    expect(report).toMatchObject({ ok: true, records: 17, problems: [] });
    expect(report.origins.map((o) => o.records).sort()).toEqual([14, 3].sort());
  });

  type Mutation = { how: string; file: number; at: number; with: number };
  const mutation = fc.record<Mutation>({
    how: fc.constantFrom(
      'flip',
      'flip',
      'flip',
      'overwrite',
      'insert',
      'delete',
      'drop line',
      'swap lines',
      'repeat line',
      'cut',
      'remove file',
      'append',
    ),
    file: fc.nat(),
    at: fc.nat(),
    with: fc.nat(255),
  });

  /** Applies a mutation; false when it happened to change nothing. */
  function mutate(dir: string, m: Mutation): boolean {
    const all = files(dir);
    const path = join(dir, all[m.file % all.length]!);
    const before = readFileSync(path);
    const at = m.at % before.length;
    const cutInTwo = [before.subarray(0, at), before.subarray(at)] as const;
    const lines = before.toString('latin1').split('\n').slice(0, -1);
    const n = m.at % lines.length;
    let after: Buffer;
    switch (m.how) {
      case 'flip':
        after = Buffer.from(before);
        after[at] = after[at]! ^ (1 << (m.with % 8));
        break;
      case 'overwrite':
        after = Buffer.from(before);
        after[at] = m.with;
        break;
      case 'insert':
        after = Buffer.concat([cutInTwo[0], Buffer.from([m.with]), cutInTwo[1]]);
        break;
      case 'delete':
        after = Buffer.concat([cutInTwo[0], cutInTwo[1].subarray(1 + (m.with % 50))]);
        break;
      case 'cut':
        after = cutInTwo[0];
        break;
      case 'append':
        after = Buffer.concat([before, Buffer.from([m.with])]);
        break;
      case 'remove file':
        rmSync(path);
        return true;
      default: {
        const other = m.with % lines.length;
        if (m.how === 'drop line') lines.splice(n, 1);
        else if (m.how === 'repeat line') lines.splice(other, 0, lines[n]!);
        else [lines[n], lines[other]] = [lines[other]!, lines[n]!];
        after = Buffer.from(lines.map((l) => `${l}\n`).join(''), 'latin1');
      }
    }
    if (after.equals(before)) return false;
    // The two slots of a head are equal in rank; which one stands first says nothing.
    if (m.how === 'swap lines' && path.endsWith('.head')) return false;
    writeFileSync(path, after);
    return true;
  }

  test('reports every random change to any byte, line or file of a journal', async () => {
    const dir = copy();
    await fc.assert(
      fc.asyncProperty(mutation, async (m) => {
        rmSync(dir, { recursive: true });
        cpSync(original, dir, { recursive: true });
        fc.pre(mutate(dir, m));
        const report = await verify({ dir, key: null });
        expect(report.ok, JSON.stringify(m)).toBe(false);
        expect(report.problems.length).toBeGreaterThan(0);
        expect(report, JSON.stringify(m)).toEqual(await readInFull(dir));
      }),
      { numRuns: Number(process.env['SLUICE_FUZZ_RUNS'] ?? 100) },
    );
  });

  test('reports a change of each byte of a segment', async () => {
    const dir = temporaryDirectory();
    const writer = await openJournal(dir, {});
    await writer.append(draft(1));
    await writer.append(draft(2));
    await writer.close();
    const path = join(dir, segments(dir)[0]!);
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      writeFileSync(path, changed);
      expect((await verify({ dir, key: null })).ok, `byte ${at}`).toBe(false);
    }
    writeFileSync(path, bytes);
    expect((await verify({ dir, key: null })).ok).toBe(true);
  });

  /** What is reported if no line is checked quickly. */
  async function readInFull(dir: string) {
    const quick = [
      vi.spyOn(SegmentReader.prototype, 'skim').mockReturnValue(null),
      vi.spyOn(SegmentReader.prototype, 'skimDocument').mockReturnValue(null),
    ];
    try {
      return await verify({ dir, key: null });
    } finally {
      for (const each of quick) each.mockRestore();
    }
  }

  test('reports the same if no line is checked quickly', async () => {
    const report = await readInFull(original);
    expect(report).toMatchObject({ ok: true, records: 17 });
    expect(await verify({ dir: original, key: null })).toEqual(report);
  });

  test('names the first bad record: file, line, seq, decision id', async () => {
    const dir = copy();
    const path = join(dir, segments(dir)[0]!);
    const record = recordsOf(dir, segments(dir).slice(0, 1))[1]!;
    const lines = linesOf(path);
    const at = lines.findIndex((line) => line.includes(record.decision_id));
    lines[at] = lines[at]!.replace('"bytes":1234', '"bytes":1235');
    writeFileSync(path, `${lines.join('\n')}\n`);
    expect((await verify({ dir, key: null })).problems[0]).toMatchObject({
      what: 'hash_mismatch',
      file: path.split('/').at(-1),
      line: at + 1,
      seq: record.seq,
      decision_id: record.decision_id,
    });
  });

  test('finds an altered record with a recomputed hash', async () => {
    const dir = copy();
    const path = join(dir, segments(dir)[0]!);
    const lines = linesOf(path);
    const [at, next] = lines.flatMap((line, i) => (isRecord(line) ? [i] : [])) as [number, number];
    const { payload } = JSON.parse(lines[at]!) as { payload: { bytes: number } };
    lines[at] = forged(lines[at]!, JSON.stringify({ ...payload, bytes: 1 }));
    writeFileSync(path, `${lines.join('\n')}\n`);
    expect((await verify({ dir, key: null })).problems[0]).toMatchObject({
      what: 'prev_hash_mismatch',
      // The documents of the next record, if it has some, follow the forged record.
      line: lines.slice(at + 1, next).length > 0 ? at + 2 : next + 1,
    });
  });

  test('finds a line with a repeated member, although its hash is correct', async () => {
    const dir = copy();
    const path = join(dir, segments(dir)[0]!);
    const lines = linesOf(path);
    const at = lines.findIndex(isRecord);
    const { payload } = JSON.parse(lines[at]!) as { payload: object };
    lines[at] = forged(lines[at]!, canonical(payload).replace('"bytes":', '"bytes":1,"bytes":'));
    writeFileSync(path, `${lines.join('\n')}\n`);
    expect((await verify({ dir, key: null })).problems[0]).toMatchObject({
      what: 'not_canonical',
      line: at + 1,
    });
  });

  test('finds a chain that was truncated together with every later segment', async () => {
    const dir = copy();
    const long = segments(dir)
      .find((f) => !f.includes('.0000000000000001.'))!
      .split('.')[0]!;
    const its = segments(dir).filter((f) => f.startsWith(long));
    for (const file of its.slice(1)) rmSync(join(dir, file));
    const report = await verify({ dir, key: null });
    expect(report.problems).toMatchObject([{ what: 'tail_missing', origin: long }]);
  });

  /** Rewrites a whole chain with one record left out: what somebody with the run of the disk would do. */
  function rewrite(dir: string): string {
    const file = segments(dir).find((f) => !f.includes('.0000000000000001.'))!;
    const origin = file.split('.')[0]!;
    let [seq, prev_hash] = [0, GENESIS];
    let all = '';
    const its = segments(dir).filter((f) => f.startsWith(origin));
    const sealer = new Sealer();
    for (const { origin: _o, seq: was, prev_hash: _p, hash: _h, ...own } of recordsOf(dir, its)) {
      if (was === 3) continue;
      const { record, bytes } = sealer.seal(own, { origin, seq: ++seq, prev_hash });
      prev_hash = record.hash;
      all += bytes.toString();
    }
    for (const name of its) rmSync(join(dir, name));
    writeFileSync(join(dir, `${origin}.0000000000000001.jsonl`), all);
    const head = { origin, seq, hash: prev_hash, at: '2026-11-22T08:00:00.000Z' };
    const body = canonical({ ...head, mac: null });
    const slot = `${body.slice(0, -1)},"sum":"${createHash('sha256').update(body).digest('hex')}"}`.padEnd(
      511,
    );
    writeFileSync(join(dir, `${origin}.head`), `${slot}\n${slot}\n`);
    return origin;
  }

  test('finds a rewritten chain with a rewritten head, if a key signs the heads', async () => {
    const dir = temporaryDirectory();
    await journal(dir, KEY);
    expect(await verify({ dir, key: KEY })).toMatchObject({
      ok: true,
      origins: [{ head: 'signed' }, { head: 'signed' }],
    });
    expect(await verify({ dir, key: null })).toMatchObject({
      ok: true,
      origins: [{ head: 'unchecked' }, { head: 'unchecked' }],
    });
    const origin = rewrite(dir);
    expect((await verify({ dir, key: KEY })).problems).toMatchObject([{ what: 'head_unsigned', origin }]);
  });

  test('finds a head signed with another key', async () => {
    const dir = temporaryDirectory();
    await journal(dir, Buffer.from('somebody else’s key'));
    expect((await verify({ dir, key: KEY })).problems[0]).toMatchObject({ what: 'head_signature_wrong' });
  });

  test('finds a rewritten chain by an anchor that was stored elsewhere', async () => {
    const dir = copy();
    const anchors = (await verify({ dir, key: null })).origins.map((o) => ({
      origin: o.origin,
      seq: o.last,
      hash: o.hash,
    }));
    expect((await verify({ dir, key: null, anchors })).ok).toBe(true);
    const origin = rewrite(dir);
    expect((await verify({ dir, key: null })).ok).toBe(true); // nothing inside the directory can tell
    expect((await verify({ dir, key: null, anchors })).problems).toMatchObject([
      { what: 'tail_missing', origin },
    ]);
  });

  test('reads the anchors it writes, and refuses one whose signature is wrong', async () => {
    const dir = temporaryDirectory();
    const anchor = { origin: 'a-0011aabb', seq: 7, hash: 'ab'.repeat(32), at: '2026-11-22T08:00:00.000Z' };
    const file = join(dir, 'anchors');
    writeFileSync(file, formatAnchor(anchor, null) + formatAnchor(anchor, KEY));
    expect(readAnchors(file, KEY)).toEqual([anchor, anchor]);
    writeFileSync(file, formatAnchor(anchor, KEY).replace('"seq":7', '"seq":8'));
    expect(() => readAnchors(file, KEY)).toThrowError(expect.objectContaining({ code: 'chain_broken' }));
    writeFileSync(file, 'x\n');
    expect(() => readAnchors(file, KEY)).toThrowError(
      expect.objectContaining({ code: 'input_invalid', at: { file, line: 1 } }),
    );
    expect(parseHead(`a-0011aabb:7:${'ab'.repeat(32)}`)).toEqual({
      origin: 'a-0011aabb',
      seq: 7,
      hash: 'ab'.repeat(32),
    });
  });

  test('accepts a chain whose first segments were archived, if an anchor says so', async () => {
    const dir = copy();
    const later = segments(dir).find((f) => !f.includes('.0000000000000001.'))!;
    const origin = later.split('.')[0]!;
    const first = segments(dir).find((f) => f.startsWith(origin))!;
    const last = recordsOf(dir, [first]).at(-1)!;
    renameSync(join(dir, first), join(dir, 'archived'));
    expect((await verify({ dir, key: null })).problems[0]).toMatchObject({ what: 'records_missing', seq: 1 });
    const anchor = { origin, seq: last.seq, hash: last.hash, archived: true };
    expect(await verify({ dir, key: null, anchors: [anchor] })).toMatchObject({ ok: true });
    const wrong = { ...anchor, hash: 'ab'.repeat(32) };
    expect((await verify({ dir, key: null, anchors: [wrong] })).problems[0]).toMatchObject({
      what: 'prev_hash_mismatch',
    });
  });

  test('reads a journal that is being written', async () => {
    const dir = temporaryDirectory();
    const live = await openJournal(dir, { segmentSize: 20_000 });
    let on = true;
    const writing = (async () => {
      for (let i = 0; on; i++) await live.append(draft(i));
    })();
    for (let i = 0; i < 20; i++) {
      const report = await verify({ dir, key: null });
      expect(report.problems).toEqual([]);
      expect(report.origins).toMatchObject([{ live: true }]);
    }
    on = false;
    await writing;
    await live.close();
  });

  test('reports an emptied segment, and a line longer than any record', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 3);
    const file = join(dir, `${origin}.0000000000000001.jsonl`);
    writeFileSync(file, `${readFileSync(file, 'utf8')}${'x'.repeat(17 << 20)}\n`);
    expect((await verify({ dir, key: null })).problems[0]).toMatchObject({ line: linesOf(file).length });
    truncateSync(file, 0);
    expect((await verify({ dir, key: null })).problems).toMatchObject([{ what: 'tail_missing', seq: 1 }]);
  });

  test('reports a directory that does not exist', async () => {
    await expect(verify({ dir: '/nowhere/at/all', key: null })).rejects.toMatchObject({
      code: 'journal_unwritable',
    });
  });
});
