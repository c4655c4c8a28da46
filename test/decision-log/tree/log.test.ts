/** The log of a chain: what it covers, what it refuses to sign, and proofs that others check. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listOrigins } from '../../../src/decision-log/journal/directory.ts';
import { scanQuery } from '../../../src/decision-log/index/scan.ts';
import {
  addSignatures,
  grow,
  logDirectory,
  type LogSettings,
  publishedCheckpoint,
} from '../../../src/decision-log/tree/log.ts';
import {
  COSIGNS,
  cosignatureOf,
  type NoteKey,
  openNote,
  SIGNS,
  spellKey,
  splitNote,
} from '../../../src/decision-log/tree/note.ts';
import { checkProof, proofOf } from '../../../src/decision-log/tree/proof-file.ts';
import { verify } from '../../../src/decision-log/verify/verify.ts';
import type { DecisionRecord } from '../../../src/model/record.ts';
import { draft } from '../../support/decision-records.ts';
import { openJournal, temporaryDirectory, writeJournal } from '../../support/journals.ts';
import { newSigner } from '../../support/notes.ts';
import { runCommand } from '../../support/io.ts';

const settingsOf = (dir: string): LogSettings => ({ dir, name: 'example.com/sluice', signer: newSigner() });
const keyOf = (settings: LogSettings, origin: string): NoteKey => ({
  name: `${settings.name}/${origin}`,
  type: SIGNS,
  key: settings.signer.publicKey(),
});
const segmentOf = (dir: string): string =>
  join(
    dir,
    readdirSync(dir)
      .filter((f) => f.endsWith('.jsonl'))
      .sort()[0]!,
  );

async function more(dir: string, n: number): Promise<void> {
  const journal = await openJournal(dir);
  for (let i = 0; i < n; i++) await journal.append(draft(i));
  await journal.close();
}

describe('a log', () => {
  test('covers what the head covers, pass after pass, and is the same in one pass', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 300);
    const settings = settingsOf(dir);
    const first = await grow(origin, settings);
    expect(first).toMatchObject({
      isNew: true,
      checkpoint: { size: 300, log: `example.com/sluice/${origin}` },
    });
    expect(await grow(origin, settings)).toMatchObject({ isNew: false, checkpoint: { size: 300 } });
    await more(dir, 5);
    const second = await grow(origin, settings, first!.place);
    expect(second).toMatchObject({ isNew: true, checkpoint: { size: 305 } });
    const copy = temporaryDirectory();
    cpSync(dir, copy, { recursive: true });
    rmSync(join(copy, 'tlog'), { recursive: true });
    const whole = await grow(origin, { ...settings, dir: copy });
    expect(whole!.checkpoint.root).toEqual(second!.checkpoint.root);
  });

  test('is made again from the journal when tiles are lost or damaged, and stays the one that was signed', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 600);
    const settings = settingsOf(dir);
    const signed = await grow(origin, settings);
    const tiles = join(logDirectory(dir, origin), 'tile');
    for (const spoil of [
      () => rmSync(tiles, { recursive: true }),
      () => truncateSync(join(tiles, '0/002.p/89'), 7),
      () => writeFileSync(join(tiles, '1/000.p/2'), Buffer.alloc(64)),
    ]) {
      spoil();
      await more(dir, 1);
      const grown = await grow(origin, settings);
      expect(
        (await verify({ dir, key: null, checkpoints: [signed!.checkpoint, grown!.checkpoint] })).problems,
      ).toEqual([]);
    }
  });

  test('is made again also where there is no new record, so that prove works as its error says', async () => {
    const { dir, origin, settings, decision } = await proven();
    const prove = () => proofOf(dir, decision.decision_id, decision.chain);
    const before = await prove();
    rmSync(join(logDirectory(dir, origin), 'tile'), { recursive: true });
    await expect(prove()).rejects.toMatchObject({ code: 'chain_broken' });
    await grow(origin, settings);
    expect(await prove()).toEqual(before);
  });

  test('is signed again with another key, without a new record, and keeps its cosignatures', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 3);
    const settings = settingsOf(dir);
    const first = (await grow(origin, settings))!;
    const { text } = splitNote(first.note);
    const signer = newSigner();
    const cosigner: NoteKey = { name: 'witness', type: COSIGNS, key: signer.publicKey() };
    const line = await cosignatureOf(text, 'witness', signer, 1_800_000_000);
    addSignatures(dir, origin, text, [line.trimEnd()]);
    const rotated = { ...settings, signer: newSigner() };
    const again = (await grow(origin, rotated))!;
    expect(again).toMatchObject({ isNew: true, checkpoint: first.checkpoint });
    expect(publishedCheckpoint(dir, origin)!.note).toBe(again.note);
    expect(openNote(again.note, [keyOf(rotated, origin), cosigner]).signatures).toHaveLength(2);
    expect(await grow(origin, rotated)).toMatchObject({ isNew: false, note: again.note });
  });

  test('signs nothing that contradicts an earlier checkpoint', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 20);
    const old = temporaryDirectory();
    cpSync(dir, old, { recursive: true });
    await more(dir, 20);
    const settings = settingsOf(dir);
    const signed = await grow(origin, settings);
    const checkpoint = readFileSync(join(logDirectory(dir, origin), 'checkpoint'));
    // An older copy of the journal, with the checkpoint of the newer one: shorter, then with other records.
    cpSync(join(dir, 'tlog'), join(old, 'tlog'), { recursive: true });
    await expect(grow(origin, { ...settings, dir: old })).rejects.toMatchObject({ code: 'chain_broken' });
    await more(old, 30);
    await expect(grow(origin, { ...settings, dir: old })).rejects.toMatchObject({ code: 'chain_broken' });
    rmSync(join(logDirectory(old, origin), 'tile'), { recursive: true });
    await expect(grow(origin, { ...settings, dir: old })).rejects.toMatchObject({ code: 'chain_broken' });
    expect(readFileSync(join(logDirectory(old, origin), 'checkpoint'))).toEqual(checkpoint);
    // `verify` says so too, of the old journal beside the checkpoint that somebody kept.
    rmSync(join(old, 'tlog'), { recursive: true });
    const report = await verify({ dir: old, key: null, checkpoints: [signed!.checkpoint] });
    expect(report.problems.map(({ what }) => what)).toEqual(['checkpoint_mismatch']);
  });

  test('covers no record that was altered, and says where', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 30);
    const segment = segmentOf(dir);
    const lines = readFileSync(segment, 'utf8').split('\n');
    lines.splice(9, 1);
    writeFileSync(segment, lines.join('\n'));
    await expect(grow(origin, settingsOf(dir))).rejects.toMatchObject({ code: 'chain_broken' });
    expect(publishedCheckpoint(dir, origin)).toBeNull();
  });

  test('goes on after its first segments were archived, and verify compares with every checkpoint', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 400, { segmentSize: 64 << 10 });
    expect((await listOrigins(dir))[0]!.segments.length).toBeGreaterThan(2);
    const settings = settingsOf(dir);
    const first = await grow(origin, settings);
    const to = temporaryDirectory();
    const archived = await runCommand(['decisions', 'archive', '--journal', dir, '--to', to, '--json']);
    expect(archived.code).toBe(0);
    expect((await listOrigins(dir))[0]!.segments[0]!.first).toBeGreaterThan(100);
    await more(dir, 3);
    const second = await grow(origin, settings);
    const checkpoints = [first!.checkpoint, second!.checkpoint];
    expect((await verify({ dir, key: null, checkpoints })).problems).toEqual([]);
    const forged = { ...second!.checkpoint, root: first!.checkpoint.root };
    expect((await verify({ dir, key: null, checkpoints: [forged] })).problems[0]).toMatchObject({
      what: 'checkpoint_mismatch',
    });
  });
});

describe('archive', () => {
  test('leaves what no checkpoint covers yet', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 200, { segmentSize: 64 << 10 });
    await grow(origin, settingsOf(dir));
    const segments = (await listOrigins(dir))[0]!.segments.length;
    await writeJournal(dir, 400, { segmentSize: 64 << 10 });
    await runCommand(['decisions', 'archive', '--journal', dir, '--to', temporaryDirectory()]);
    expect((await listOrigins(dir))[0]!.segments[0]!.first).toBeLessThanOrEqual(201);
    expect((await listOrigins(dir))[0]!.segments.length).toBeGreaterThan(segments);
  });
});

/** A journal with parts, and the proof of one of its decisions. */
async function proven() {
  const dir = temporaryDirectory();
  const journal = await openJournal(dir);
  const first: DecisionRecord[] = [];
  for (let i = 0; i < 40; i++)
    first.push(await journal.append(draft(i, { part: { number: 1, last: i !== 7 } })));
  const { decision_id } = first[7]!;
  await journal.append(draft(7, { decision_id, part: { number: 2, last: true } }));
  await journal.close();
  const settings = settingsOf(dir);
  await grow(journal.origin, settings);
  const decision = await scanQuery(dir).get(decision_id);
  const file = JSON.stringify(await proofOf(dir, decision_id, decision!.chain));
  return {
    dir,
    settings,
    origin: journal.origin,
    decision: decision!,
    file,
    key: keyOf(settings, journal.origin),
  };
}

describe('a proof', () => {
  test('holds with the key of the log alone, and returns the records', async () => {
    const { decision, file, key } = await proven();
    const checked = checkProof(file, () => [key]);
    expect(checked.records.map(({ record }) => record.seq)).toEqual(decision.chain.map(({ seq }) => seq));
    expect(checked.records[0]!.record).toMatchObject({
      decision_id: decision.decision_id,
      subject: decision.subject,
    });
  });

  test('does not hold with any other key, or under another name of the log', async () => {
    const { file, key } = await proven();
    const refused = { code: 'signature_invalid' };
    expect(() => checkProof(file, () => [])).toThrow(expect.objectContaining(refused));
    expect(() => checkProof(file, () => [{ ...key, key: newSigner().publicKey() }])).toThrow(
      expect.objectContaining(refused),
    );
    expect(() => checkProof(file, () => [{ ...key, name: 'example.com/other' }])).toThrow(
      expect.objectContaining(refused),
    );
    expect(() => checkProof(file, () => [key], [{ ...key, type: 4, name: 'witness' }])).toThrow(
      expect.objectContaining(refused),
    );
  });

  test('does not hold when any character of it is another, or it is cut', async () => {
    const { file, key } = await proven();
    const before = checkProof(file, () => [key]);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
        const changed = file.slice(0, at) + String.fromCharCode(code) + file.slice(at + 1);
        if (changed === file) return;
        try {
          // What is not covered by a signature (spaces of JSON, a name of a member) may change, what it says may not.
          expect(checkProof(changed, () => [key])).toEqual(before);
        } catch (e) {
          expect(e).toMatchObject({ code: 'signature_invalid' });
        }
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.nat(file.length - 1), (end) => {
        expect(() => checkProof(file.slice(0, end), () => [key])).toThrow(
          expect.objectContaining({ code: 'signature_invalid' }),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('holds only if every witness that is named has cosigned, also where two have one name', async () => {
    const { dir, origin, settings, decision, key } = await proven();
    const { text } = splitNote((await grow(origin, settings))!.note);
    const [one, two] = [newSigner(), newSigner()];
    const named = (signer: typeof one): NoteKey => ({ name: 'w', type: COSIGNS, key: signer.publicKey() });
    addSignatures(dir, origin, text, [(await cosignatureOf(text, 'w', one, 1)).trimEnd()]);
    const file = JSON.stringify(await proofOf(dir, decision.decision_id, decision.chain));
    expect(checkProof(file, () => [key], [named(one)]).records).toHaveLength(2);
    for (const witnesses of [[named(two)], [named(one), named(two)]])
      expect(() => checkProof(file, () => [key], witnesses)).toThrow(
        expect.objectContaining({ code: 'signature_invalid' }),
      );
  });

  test('does not hold where a part of the decision is left out or is there twice', async () => {
    const dir = temporaryDirectory();
    const journal = await openJournal(dir);
    const { decision_id } = await journal.append(draft(0, { part: { number: 1, last: false } }));
    for (const number of [2, 3])
      await journal.append(draft(0, { decision_id, part: { number, last: number === 3 } }));
    await journal.close();
    const settings = settingsOf(dir);
    await grow(journal.origin, settings);
    const { chain } = (await scanQuery(dir).get(decision_id))!;
    const proof = await proofOf(dir, decision_id, chain);
    const checked = (...parts: readonly number[]) => {
      const records = parts.map((n) => proof.records[n - 1]!);
      return checkProof(JSON.stringify({ ...proof, records }), () => [keyOf(settings, journal.origin)]);
    };
    for (const parts of [[1, 2, 3], [3, 1, 2], [1, 2], [1]])
      expect(checked(...parts).records).toHaveLength(parts.length);
    for (const parts of [[1, 3], [2, 3], [3], [1, 2, 2, 3], [1, 1]])
      expect(() => checked(...parts)).toThrow(expect.objectContaining({ code: 'signature_invalid' }));
  });

  test('is refused of a record with short references, which another document would fit, too', async () => {
    const dir = temporaryDirectory();
    cpSync(new URL('../short-references/', import.meta.url), dir, { recursive: true });
    const settings = settingsOf(dir);
    await grow('test-7d3d1145', settings);
    const { decisions } = await scanQuery(dir).query({ limit: 1 });
    const [{ decision_id, chain }] = decisions as [(typeof decisions)[number]];
    const file = JSON.stringify(await proofOf(dir, decision_id, chain));
    expect(() => checkProof(file, () => [keyOf(settings, 'test-7d3d1145')])).toThrow(
      expect.objectContaining({ code: 'signature_invalid', message: expect.stringContaining('short') }),
    );
  });

  test('takes no document that the record does not name: its reference is the whole commitment', async () => {
    const { file, key } = await proven();
    const proof = JSON.parse(file) as { records: { lines: string[] }[] };
    const [record] = proof.records;
    const others = record!.lines.filter((line) => line.includes('","d":"subject"'));
    expect(others).toHaveLength(1);
    record!.lines = record!.lines.filter((line) => !others.includes(line));
    expect(() => checkProof(JSON.stringify(proof), () => [key])).toThrow(
      expect.objectContaining({ code: 'signature_invalid' }),
    );
  });

  const hasGo = existsSync('/usr/share/gocode/src/golang.org/x/mod/sumdb/note/note.go');
  if (!hasGo)
    console.warn(
      'skipped: proofs are not checked by the other implementation, golang-golang-x-mod-dev is not installed',
    );
  test.skipIf(!hasGo && process.env['SLUICE_GO'] !== 'required')(
    'is checked by an implementation that shares no code with Sluice',
    { timeout: 120_000 },
    async () => {
      const { dir, file, key } = await proven();
      const [good, bad] = [join(dir, 'good.json'), join(dir, 'bad.json')];
      writeFileSync(good, file);
      writeFileSync(bad, file.replace('after_sales', 'after_Sales'));
      const program = join(dir, 'verify-proof');
      const go = (...argv: string[]): string =>
        execFileSync('go', argv, {
          encoding: 'utf8',
          env: { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(dir, 'go') },
        });
      go('build', '-o', program, new URL('../../independent/verify-proof.go', import.meta.url).pathname);
      const run = (...argv: string[]): string => {
        try {
          return execFileSync(program, argv, { encoding: 'utf8' });
        } catch (e) {
          return (e as { stdout: string }).stdout;
        }
      };
      expect(run(spellKey(key), good)).toMatch(/^holds: record 8 of 41 .*\nholds: record 41 of 41 /);
      expect(run(spellKey(key), bad)).toMatch(/^does not hold: /);
      expect(run(spellKey({ ...key, key: newSigner().publicKey() }), good)).toMatch(/^does not hold: /);
    },
  );

  test('is made and checked by commands, in a place without journal', async () => {
    const { dir, decision } = await proven();
    const elsewhere = temporaryDirectory();
    rmSync(join(dir, 'tlog'), { recursive: true });
    const at = ['--journal', dir];
    const made = await runCommand(['decisions', 'checkpoint', ...at, '--json']);
    const { key } = JSON.parse(made.stdout) as { key: string };
    const proof = join(elsewhere, 'a.proof.json');
    expect((await runCommand(['decisions', 'prove', decision.decision_id, ...at, '-o', proof])).code).toBe(0);
    const again = await runCommand(['decisions', 'prove', decision.decision_id, ...at, '-o', proof]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('Name a new file') });
    const held = await runCommand(['decisions', 'verify-proof', proof, '--key', key]);
    expect(held).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('The proof holds: record 8 of 41'),
    });
    writeFileSync(join(elsewhere, 'keys'), `${key}\n`);
    const json = await runCommand([
      'decisions',
      'verify-proof',
      proof,
      '--key',
      join(elsewhere, 'keys'),
      '--json',
    ]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      holds: true,
      decision: { decision_id: decision.decision_id },
    });
    // Elsewhere, without configuration, the key is another one.
    const foreign = await runCommand(['decisions', 'checkpoint', ...at], { cwd: elsewhere });
    expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining('signed with another key') });
    const none = await runCommand(['decisions', 'verify-proof', proof]);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('Name the key') });
    copyFileSync(proof, join(elsewhere, 'b'));
    writeFileSync(join(elsewhere, 'b'), readFileSync(proof, 'utf8').replace('after_sales', 'after_Sales'));
    const broken = await runCommand(['decisions', 'verify-proof', join(elsewhere, 'b'), '--key', key]);
    expect(broken).toMatchObject({ code: 1, stdout: expect.stringContaining('does not hold') });
  });
});
