/** Witnesses: what they cosign, what they refuse, and sidecars that are witnesses of each other over HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import express from 'express';
import { witnessing } from '../../../src/endpoints/tlog/tlog.ts';
import { createLogKeeper } from '../../../src/decision-log/tree/keep.ts';
import { logDirectory, type LogSettings, publishedCheckpoint } from '../../../src/decision-log/tree/log.ts';
import { consistencyProof } from '../../../src/decision-log/tree/merkle.ts';
import { openNote, readKey, SIGNS, spellKey } from '../../../src/decision-log/tree/note.ts';
import { signCheckpoint } from '../../../src/decision-log/tree/checkpoint.ts';
import { readTree } from '../../../src/decision-log/tree/tiles.ts';
import { createWitness, type LogWitness, witnessKey } from '../../../src/decision-log/tree/witness.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { draft } from '../../support/decision-records.ts';
import { openJournal, temporaryDirectory, writeJournal } from '../../support/journals.ts';
import { newSigner } from '../../support/notes.ts';

const NAME = 'example.com/sluice';
const NOW = new Date('2026-12-01T08:00:00Z');

function newWitness(log: LogSettings, over: { readonly dir?: string } = {}) {
  const signer = newSigner();
  const dir = over.dir ?? temporaryDirectory();
  const key = spellKey({ name: NAME, type: SIGNS, key: log.signer.publicKey() });
  const witness = createWitness(
    { name: 'example.org/witness', dir, logs: [{ log: `${NAME}/*`, key }] },
    { signer, now: () => NOW, logger: silentLogger },
  );
  return { witness, dir, key: witnessKey('example.org/witness', signer) };
}

async function served(witness: LogWitness): Promise<string> {
  const app = express();
  witnessing(witness)(app);
  const server = createServer(app);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/witness`;
}

async function more(dir: string, n: number): Promise<void> {
  const journal = await openJournal(dir);
  for (let i = 0; i < n; i++) await journal.append(draft(i));
  await journal.close();
}

describe('a witness over HTTP', () => {
  test('cosigns each checkpoint that continues the last, and refuses another history', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 30);
    const log: LogSettings = { dir, name: NAME, signer: newSigner() };
    const { witness, dir: state, key } = newWitness(log);
    const url = await served(witness);
    const copies = temporaryDirectory();
    const configs = [{ url, key, timeout: 5_000 }, { dir: copies }];
    const pass = createLogKeeper(log, configs, () => NOW);
    for (const size of [30, 31, 300]) {
      if (size > 30) await more(dir, size - (size === 31 ? 30 : 31));
      const kept = await pass(origin);
      expect(kept).toMatchObject({
        size,
        witnesses: [
          { problem: null, size },
          { problem: null, size },
        ],
      });
      const { note } = publishedCheckpoint(dir, origin)!;
      const { signatures } = openNote(note, [
        readKey(key),
        { name: `${NAME}/${origin}`, type: SIGNS, key: log.signer.publicKey() },
      ]);
      expect(signatures).toMatchObject([{ time: null }, { time: NOW.getTime() / 1000 }]);
      const copy = readFileSync(join(copies, origin, '2026-12-01.checkpoint'), 'utf8');
      expect(note.startsWith(copy)).toBe(true);
      // Nothing new: nobody is asked.
      expect(await pass(origin)).toMatchObject({ size });
    }
    // A process that starts anew learns from the witness what it has seen.
    await more(dir, 5);
    expect(await createLogKeeper(log, configs, () => NOW)(origin)).toMatchObject({
      witnesses: [{ problem: null, size: 305 }, { problem: null }],
    });
    // The journal is rewritten, and the sidecar has lost what it signed.
    const other = temporaryDirectory();
    cpSync(dir, other, { recursive: true });
    rmSync(join(other, 'tlog'), { recursive: true });
    for (const file of readdirSync(other).filter((f) => /jsonl$|head$/.test(f))) rmSync(join(other, file));
    await writeJournal(other, 10);
    const forged = readdirSync(other)
      .find((f) => f.endsWith('.head'))!
      .slice(0, -5);
    const { witnesses } = (await createLogKeeper({ ...log, dir: other }, configs, () => NOW)(forged))!;
    expect(forged).toBe(origin);
    expect(witnesses[0]!.problem).toContain('it has seen 305 records');
    const tree = readTree(logDirectory(other, forged), 10);
    const small = await signCheckpoint(
      { log: `${NAME}/${origin}`, size: 10, root: Buffer.alloc(32, 1) },
      log.signer,
    );
    expect((await witness.add(`old 305\n\n${small}`)).status).toBe(400);
    expect(await witness.add(`old 0\n\n${small}`)).toMatchObject({ status: 409, body: '305\n' });
    const large = await signCheckpoint(
      { log: `${NAME}/${origin}`, size: 400, root: Buffer.alloc(32, 1) },
      log.signer,
    );
    const proof = consistencyProof(tree, 5, 10).map((h) => `${h.toString('base64')}\n`);
    expect((await witness.add(`old 305\n${proof.join('')}\n${large}`)).status).toBe(422);
    expect(readdirSync(join(state, 'refused'))).not.toEqual([]);
  });

  test('that is down or slow delays nothing for ever, and is shown the newest checkpoint later', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 3);
    const log: LogSettings = { dir, name: NAME, signer: newSigner() };
    const { witness, key } = newWitness(log);
    const down = createLogKeeper(
      log,
      [{ url: 'http://127.0.0.1:9/witness', key, timeout: 1_000 }],
      () => NOW,
    );
    expect((await down(origin))!.witnesses[0]!.problem).toContain('does not answer');
    const silent = createServer(() => undefined);
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const slow = createLogKeeper(
      log,
      [{ url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, key, timeout: 200 }],
      () => NOW,
    );
    expect((await slow(origin))!.witnesses[0]!.problem).toContain('does not answer');
    const up = createLogKeeper(log, [{ url: await served(witness), key, timeout: 5_000 }], () => NOW);
    expect((await up(origin))!.witnesses).toMatchObject([{ problem: null, size: 3 }]);
  });
});

describe('a witness answers as C2SP tlog-witness says', () => {
  test.each([
    ['an unknown log', 404, (log: string) => log.replace('example.com', 'example.net'), 'old 0\n\n'],
    ['another key', 403, null, 'old 0\n\n'],
    ['an old size beyond the checkpoint', 400, (log: string) => log, 'old 8\n\n'],
    ['an old size that was not seen', 409, (log: string) => log, 'old 3\n\n'],
    ['a proof from nothing', 422, (log: string) => log, `old 0\n${Buffer.alloc(32).toString('base64')}\n\n`],
    ['an empty tree with a root', 422, (log: string) => log, 'old 0\n\n', 0],
    ['no request', 400, (log: string) => log, 'new 0\n\n'],
  ] as const)('%s: %i', async (_what, status, rename, head, size: number = 5) => {
    const log: LogSettings = { dir: '', name: NAME, signer: newSigner() };
    const { witness } = newWitness(log);
    const signer = rename === null ? newSigner() : log.signer;
    const name = (rename ?? ((n: string) => n))(`${NAME}/crm-00000000`);
    const note = await signCheckpoint({ log: name, size, root: Buffer.alloc(32, 7) }, signer);
    expect(await witness.add(`${head}${note}`)).toMatchObject({ status });
  });

  test('keeps the evidence of a fork also after anybody has sent it every checkpoint that was published before', async () => {
    const log: LogSettings = { dir: '', name: NAME, signer: newSigner() };
    const { witness, dir } = newWitness(log);
    const name = `${NAME}/crm-00000000`;
    const published = (size: number, fill: number) =>
      signCheckpoint({ log: name, size, root: Buffer.alloc(32, fill) }, log.signer);
    await witness.add(`old 0\n\n${await published(200, 1)}`);
    const kept = () => readdirSync(join(dir, 'refused'));
    for (let i = 0; i < 3; i++)
      expect((await witness.add(`old 0\n\n${await published(100, 1)}`)).status).toBe(409);
    expect(kept()).toHaveLength(1);
    for (let size = 1; size < 150; size++) await witness.add(`old 0\n\n${await published(size, 1)}`);
    expect(kept()).toHaveLength(100);
    const fork = `old 200\n\n${await published(200, 2)}`;
    expect((await witness.add(fork)).status).toBe(409);
    const evidence = kept().filter((file) => file.startsWith('other-tree-'));
    expect(evidence.map((file) => readFileSync(join(dir, 'refused', file), 'utf8'))).toEqual([fork]);
  });

  test('two checkpoints of one size at once: one tree is cosigned', async () => {
    const log: LogSettings = { dir: '', name: NAME, signer: newSigner() };
    const dir = temporaryDirectory();
    const witnesses = [newWitness(log, { dir }).witness, newWitness(log, { dir }).witness];
    const notes = await Promise.all(
      [1, 2, 3, 4].map((fill) =>
        signCheckpoint({ log: `${NAME}/crm-00000000`, size: 5, root: Buffer.alloc(32, fill) }, log.signer),
      ),
    );
    const answers = await Promise.all(notes.map((note, i) => witnesses[i % 2]!.add(`old 0\n\n${note}`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});
