/** A full disk: everything is refused at once, nothing half-written is believed, and it works again once there is space. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import type { Journal } from '../../src/decision-log/journal/journal.ts';
import { verifyFile } from '../../src/decision-log/verify/file.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { isSluiceError } from '../../src/errors.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { isRecord, linesOf, openJournal, recordsOf, writeJournal } from '../support/journals.ts';
import { tmpdir } from 'node:os';

const mount = mkdtempSync(join(tmpdir(), 'sluice-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount]).status === 0;
if (!mounted) {
  rmSync(mount, { recursive: true });
  process.stderr.write('journal-full: skipped, mounting a small tmpfs is not permitted here\n');
}

const fill = (bytes: number) => writeFileSync(join(mount, 'ballast'), Buffer.alloc(bytes));
const remount = (how: string) => spawnSync('mount', ['-o', `remount,${how}`, mount]).status === 0;

describe.skipIf(!mounted)('on a full disk', () => {
  afterAll(() => {
    spawnSync('umount', ['-l', mount]);
    rmSync(mount, { recursive: true, force: true });
  });
  let dir: string;
  let n = 0;
  const fresh = (): string => {
    for (const name of readdirSync(mount)) rmSync(join(mount, name), { recursive: true });
    dir = join(mount, `journal-${n++}`);
    mkdirSync(dir);
    return dir;
  };

  /** Appends until one is refused. Returns the hashes that were acknowledged, and the refusal's code. */
  async function untilRefused(journal: Journal): Promise<{ hashes: string[]; code: string }> {
    const hashes: string[] = [];
    for (let i = 0; i < 2000; i += 16) {
      const batch = await Promise.allSettled(
        Array.from({ length: 16 }, (_, k) => journal.append(draft(i + k))),
      );
      for (const r of batch) if (r.status === 'fulfilled') hashes.push(r.value.hash);
      const refused = batch.find((r) => r.status === 'rejected');
      if (refused && isSluiceError(refused.reason)) return { hashes, code: refused.reason.code };
    }
    throw new Error('the disk never filled');
  }

  const held = (): string[] => recordsOf(dir).map((r) => r.hash);

  test('a write that does not fit is refused, cut away, and the chain goes on once there is space', async () => {
    fresh();
    // So small that ENOSPC itself is met, not the check before it.
    const journal = await openJournal(dir, { minFree: 1 });
    fill(500_000);
    const { hashes, code } = await untilRefused(journal);
    expect(code).toBe('journal_full');
    await expect(journal.append(draft(1))).rejects.toMatchObject({ code: 'journal_full' });
    rmSync(join(mount, 'ballast'));
    await expect.poll(() => journal.fault).toBe(null);
    expect(held()).toEqual(hashes);
    const { hash } = await journal.append(draft(2));
    await journal.close();
    expect(held()).toEqual([...hashes, hash]);
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: hashes.length + 1 });
  });

  test.each([64 << 20, 20_000])(
    'after each refused write a segment is begun, which can be read alone and has each shared document once (segments of %i bytes)',
    async (segmentSize) => {
      fresh();
      const journal = await openJournal(dir, { minFree: 1, segmentSize });
      const acknowledged: string[] = [];
      const rounds = 3;
      for (let round = 0; round < rounds; round++) {
        fill(900_000 - 100_000 * round);
        const { hashes, code } = await untilRefused(journal);
        expect(code).toBe('journal_full');
        acknowledged.push(...hashes);
        rmSync(join(mount, 'ballast'));
        await expect.poll(() => journal.fault).toBe(null);
      }
      acknowledged.push((await journal.append(draft(1))).hash);
      await journal.close();
      expect(held()).toEqual(acknowledged);
      expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: acknowledged.length });
      const segments = readdirSync(dir).filter((f) => f.endsWith('.jsonl'));
      expect(segments.length).toBeGreaterThanOrEqual(rounds + 1);
      for (const file of segments) {
        expect(await verifyFile(join(dir, file))).toMatchObject({ ok: true });
        const documents = linesOf(join(dir, file))
          .filter((line) => !isRecord(line))
          .map((line) => line.slice(line.indexOf('"payload":'), line.indexOf(',"salt":')));
        expect(new Set(documents).size).toBe(documents.length);
      }
      expect(readdirSync(dir)).not.toContain('quarantine');
      // The next start continues the last segment.
      await writeJournal(dir, 3);
      expect(readdirSync(dir).filter((f) => f.endsWith('.jsonl'))).toEqual(segments);
      expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: acknowledged.length + 3 });
    },
  );

  test('requests are refused while less than min_free is left, before anything was half written', async () => {
    fresh();
    const journal = await openJournal(dir, { minFree: 300_000 });
    const { code, hashes } = await untilRefused(journal);
    expect(code).toBe('journal_full');
    expect(() => {
      if (journal.fault) throw journal.fault;
    }).toThrowError(/min_free/);
    await journal.close();
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: hashes.length });
  });

  test('a start with too little space refuses every append, and says why, until there is more', async () => {
    fresh();
    fill(800_000);
    const log = await createDecisionLog(
      { journal: { dir, instance: 'test', min_free: 409_600 } },
      { logger: silentLogger },
    );
    expect(() => log.check()).toThrowError(expect.objectContaining({ code: 'journal_full' }));
    expect(log.status()).toMatchObject({ ok: false, detail: expect.stringContaining('min_free') });
    await expect(log.append(draft(1))).rejects.toMatchObject({ code: 'journal_full' });
    rmSync(join(mount, 'ballast'));
    await expect.poll(() => log.status().ok, { timeout: 5000 }).toBe(true);
    await log.append(draft(2));
    await log.close();
  });

  test('a disk that becomes read-only refuses, and one that is at the start is not started on', async () => {
    fresh();
    const journal = await openJournal(dir);
    const { hash } = await journal.append(draft(1));
    // The kernel refuses to remount while a file is open for writing, so the segment must not be.
    await journal.close();
    expect(remount('ro')).toBe(true);
    await expect(openJournal(dir)).rejects.toMatchObject({ code: 'journal_unwritable' });
    expect((await verify({ dir, key: null })).ok).toBe(true);
    expect(remount('rw')).toBe(true);
    expect(held()).toEqual([hash]);
  });
});
