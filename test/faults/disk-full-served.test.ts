/** A disk that fills up under a serving sidecar: requests are refused with a code, nothing answered is lost, and it recovers by itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { recordsOf } from '../support/journals.ts';
import { type Cleaning, customer, get, serve, until, upstreamOf } from '../support/served.ts';

const mount = mkdtempSync(join(tmpdir(), 'sluice-full-served-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount]).status === 0;
if (!mounted) {
  rmSync(mount, { recursive: true });
  process.stderr.write('disk-full-served: skipped, mounting a small tmpfs is not permitted here\n');
}

/** Leaves so many bytes. */
function fill(left: number): void {
  const { bavail, bsize } = statfsSync(mount);
  writeFileSync(join(mount, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - left)));
}

describe.skipIf(!mounted)('a disk that fills up under a serving sidecar', () => {
  let issuer: DevelopmentIssuer;
  const cleaning: Cleaning = [];
  beforeAll(async () => {
    issuer = await createDevelopmentIssuer();
  });
  afterEach(() => {
    for (const clean of cleaning.splice(0).reverse()) clean();
    for (const name of readdirSync(mount)) rmSync(join(mount, name), { recursive: true });
  });
  afterAll(() => {
    spawnSync('umount', ['-l', mount]);
    rmSync(mount, { recursive: true, force: true });
  });

  test.each([
    ['less than min_free is left', 1, 550_000],
    ['nothing is left, at once', 1, 0],
    ['nothing is left, and two workers write', 2, 0],
  ])('%s', async (_how, workers, left) => {
    const dir = join(mount, 'journal');
    const upstream = await upstreamOf(customer, cleaning);
    const config = {
      workers,
      decision_log: { journal: { dir, min_free: left === 0 ? '64KiB' : 600_000 } },
    };
    const served = await serve({ upstream, config }, issuer, cleaning);
    let answered = 0;
    const codes = new Set<string>();
    const ask = async (): Promise<number> => {
      const { status, text } = await get(served, issuer);
      if (status === 200) answered++;
      else codes.add(`${status} ${(JSON.parse(text) as { code: string }).code}`);
      return status;
    };
    const burst = async (): Promise<readonly number[]> => Promise.all(Array.from({ length: 16 }, ask));
    // What is behind the last newline of a segment is no record: it is cut away once there is space.
    const recorded = (): number => recordsOf(dir).filter(({ outcome }) => outcome === 'modified').length;

    for (let round = 0; round < 2; round++) {
      await until(async () => (await burst()).every((status) => status === 200));
      fill(left);
      await until(async () => (await burst()).every((status) => status !== 200));
      expect([...codes]).toEqual(['503 journal_full']);
      const ready = await fetch(`${served.admin}/readyz`, { headers: { connection: 'close' } });
      expect([ready.status, await ready.json()]).toEqual([
        503,
        expect.objectContaining({
          status: 'not ready',
          checks: expect.objectContaining({ journal: expect.objectContaining({ ok: false }) }),
        }),
      ]);
      expect(recorded()).toBeGreaterThanOrEqual(answered);
      rmSync(join(mount, 'ballast'));
    }
    await until(async () => (await burst()).every((status) => status === 200));
    // A worker that none of the requests reached notices the space when it next looks.
    await until(
      async () =>
        (await fetch(`${served.admin}/readyz`, { headers: { connection: 'close' } })).status === 200,
    );
    served.child.kill('SIGTERM');
    expect(await served.ended).toBe(0);
    expect(served.log()).not.toContain('a worker ended');
    expect((await verify({ dir, key: null })).problems).toEqual([]);
    expect(recorded()).toBe(answered);
  });
});
