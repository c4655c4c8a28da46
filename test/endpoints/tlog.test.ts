/** Two whole sidecars: one signs checkpoints of its decision log, the other witnesses them. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readCheckpoint } from '../../src/decision-log/tree/checkpoint.ts';
import { EMPTY_ROOT } from '../../src/decision-log/tree/merkle.ts';
import { COSIGNS, openNote, readKey, SIGNS, spellKey } from '../../src/decision-log/tree/note.ts';
import { checkProof } from '../../src/decision-log/tree/proof-file.ts';
import { temporaryDirectory, writeJournal } from '../support/journals.ts';
import { runCommand } from '../support/io.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const running: Running[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close();
});

function newKey(name: string, type: typeof SIGNS | typeof COSIGNS) {
  const { privateKey } = generateKeyPairSync('ed25519');
  const file = join(temporaryDirectory(), 'signing.jwk');
  writeFileSync(file, JSON.stringify(privateKey.export({ format: 'jwk' })));
  return {
    config: { key: `file:${file}` },
    spelled: spellKey({ name, type, key: createPublicKey(privateKey) }),
  };
}

async function until<T>(what: () => Promise<T | null>): Promise<T> {
  for (const end = Date.now() + 20_000; ; ) {
    const found = await what();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('checkpoints of a sidecar', { timeout: 60_000 }, () => {
  test('are signed, cosigned by another sidecar, served with their tiles, and prove a decision', async () => {
    const log = newKey('example.com/sluice/any', SIGNS);
    const cosigner = newKey('example.org/witness', COSIGNS);
    const witness = await startSluice({
      config: {
        signing: cosigner.config,
        decision_log: {
          journal: { dir: './journal' },
          witness: {
            name: 'example.org/witness',
            dir: './witness',
            logs: [{ log: 'example.com/sluice/*', key: log.spelled }],
          },
        },
      },
    });
    running.push(witness);
    const sidecar = await startSluice({
      config: {
        signing: log.config,
        decision_log: {
          journal: { dir: './journal' },
          checkpoints: {
            name: 'example.com/sluice',
            every: '1s',
            witnesses: [{ url: `http://127.0.0.1:${witness.adminPort}/witness`, key: cosigner.spelled }],
          },
        },
      },
    });
    running.push(sidecar);
    for (let i = 0; i < 3; i++)
      await fetch(`http://127.0.0.1:${sidecar.port}/customers/C1`, { headers: sidecar.caller });
    const records = sidecar.records();
    expect(records).toHaveLength(3);
    const [{ origin, seq, decision_id }] = records.slice(-1) as [(typeof records)[number]];
    const name = `example.com/sluice/${origin}`;
    const keys = [{ ...readKey(log.spelled), name }, readKey(cosigner.spelled)];

    const note = await until(async () => {
      const { status, text } = await sidecar.admin(`/tlog/${origin}/checkpoint`);
      return status === 200 &&
        readCheckpoint(text).size >= seq &&
        openNote(text, keys).signatures.length === 2
        ? text
        : null;
    });
    expect(readCheckpoint(note)).toMatchObject({ log: name });
    expect(readCheckpoint(note).root).not.toEqual(EMPTY_ROOT);
    const tile = await fetch(
      `http://127.0.0.1:${sidecar.adminPort}/tlog/${origin}/tile/0/000.p/${readCheckpoint(note).size}`,
    );
    expect(tile.status).toBe(200);
    expect((await tile.arrayBuffer()).byteLength).toBe(32 * readCheckpoint(note).size);
    for (const path of ['../journal', `${origin}.lock`, `${origin}/checkpoint.new`, `${origin}/%2e%2e/x`, ''])
      expect((await sidecar.admin(`/tlog/${path}`)).status).toBe(404);

    const metrics = (await sidecar.admin('/metrics')).text;
    expect(metrics).toMatch(/^sluice_checkpoint_ok 1$/m);
    expect(metrics).toMatch(/^sluice_checkpoint_lag_records 0$/m);

    const at = ['--config', `${sidecar.dir}/sluice.yaml`];
    const { stdout } = await runCommand(['decisions', 'prove', decision_id, ...at]);
    const [logKey, witnessKey] = [keys[0]!, keys[1]!];
    expect(checkProof(stdout, () => [logKey], [witnessKey]).records[0]!.record).toMatchObject({
      decision_id,
    });
    const printed = await runCommand([
      'signing',
      'keys',
      '--witness',
      '--config',
      `${witness.dir}/sluice.yaml`,
    ]);
    expect(printed.stdout.trim()).toBe(cosigner.spelled);
    expect(sidecar.log()).not.toContain('"level":50');
  });

  test('say what fails, and that a witness is down', async () => {
    const cosigner = newKey('example.org/witness', COSIGNS);
    const sidecar = await startSluice({
      config: {
        decision_log: {
          journal: { dir: './journal' },
          checkpoints: {
            every: '1s',
            witnesses: [{ url: 'http://127.0.0.1:9/witness', key: cosigner.spelled }],
          },
        },
      },
    });
    running.push(sidecar);
    await fetch(`http://127.0.0.1:${sidecar.port}/customers/C1`, { headers: sidecar.caller });
    await until(async () => (sidecar.log().includes('a witness has not taken a checkpoint') ? true : null));
    expect((await sidecar.admin('/metrics')).text).toMatch(/^sluice_checkpoint_ok 0$/m);
  });

  test('of one chain that is damaged stop no other, and are told', async () => {
    const dir = temporaryDirectory();
    const damaged = await writeJournal(join(dir, 'journal'), 20, { instance: 'gone' });
    const intact = await writeJournal(join(dir, 'journal'), 20, { instance: 'other' });
    const segment = join(dir, 'journal', `${damaged}.0000000000000001.jsonl`);
    const lines = readFileSync(segment, 'utf8').split('\n');
    writeFileSync(segment, lines.toSpliced(9, 1).join('\n'));
    const sidecar = await startSluice({
      dir,
      config: { decision_log: { journal: { dir: './journal' }, checkpoints: { every: '1s' } } },
    });
    running.push(sidecar);
    await fetch(`http://127.0.0.1:${sidecar.port}/customers/C1`, { headers: sidecar.caller });
    for (const origin of [intact, sidecar.records().at(-1)!.origin])
      await until(async () =>
        (await sidecar.admin(`/tlog/${origin}/checkpoint`)).status === 200 ? true : null,
      );
    await until(async () =>
      sidecar.log().includes('a chain of the decision log gets no checkpoint') ? true : null,
    );
    expect((await sidecar.admin('/metrics')).text).toMatch(/^sluice_checkpoint_ok 0$/m);
    expect((await sidecar.admin(`/tlog/${damaged}/checkpoint`)).status).toBe(404);
  });

  test('are refused with a key of the wrong kind', async () => {
    const key = newKey('example.com/sluice', SIGNS).spelled;
    await expect(
      startSluice({
        config: {
          decision_log: {
            journal: { dir: './journal' },
            checkpoints: { witnesses: [{ url: 'http://127.0.0.1:9', key }] },
          },
        },
      }),
    ).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('--witness') });
  });
});
