/**
 * Chooses the chain that a starting process continues. An origin is named `<instance>-<8 random hex digits>`. The random
 * part separates chains of machines that have the same host name and share an index. A process takes the first chain of
 * its instance that is neither locked, damaged nor restored from a backup; if there is none, it begins a new chain. So a restart continues its
 * chain, each worker has its own, and a damaged chain is left unchanged.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GENESIS } from './chain.ts';
import { ENDED, listOrigins, lockPath, syncDirectory } from './directory.ts';
import { type Lock, tryLock } from './lock.ts';
import { type Continued, examineTail, quarantineTail, type Tip } from './recover.ts';

export interface AcquiredOrigin {
  readonly origin: string;
  readonly lock: Lock;
  readonly tip: Tip;
  /** the segment to append to, if there is one */
  readonly segment: Continued | null;
  readonly torn: { readonly file: string; readonly bytes: number; readonly sha256: string } | null;
  /** chains of this instance that were skipped because they are damaged */
  readonly damaged: readonly { readonly origin: string; readonly detail: string }[];
}

/** @throws errors of the file system */
export async function acquireOrigin(
  dir: string,
  instance: string,
  key: Buffer | null,
): Promise<AcquiredOrigin> {
  const damaged: { origin: string; detail: string }[] = [];
  const mine = new RegExp(`^${instance}-[0-9a-f]{8}$`);
  const ended = endedIn(dir);
  for (const { origin, lock: locked, segments, head } of await listOrigins(dir)) {
    if (!mine.test(origin) || ended.has(origin) || !(locked || head || segments.length > 0)) continue;
    const lock = tryLock(lockPath(dir, origin));
    if (lock === null) continue;
    try {
      // List again: the previous owner may have written until it released the lock.
      const files = (await listOrigins(dir)).find((f) => f.origin === origin)!;
      const tail = await examineTail(dir, files, key);
      if (tail.state === 'damaged') {
        damaged.push({ origin, detail: tail.detail });
        lock.release();
        continue;
      }
      const torn = tail.torn === null ? null : quarantineTail(dir, origin, tail.tip, tail.torn);
      return { origin, lock, tip: tail.tip, segment: tail.segment, torn, damaged };
    } catch (e) {
      lock.release();
      throw e;
    }
  }
  const origin = `${instance}-${randomBytes(4).toString('hex')}`;
  const lock = tryLock(lockPath(dir, origin));
  if (lock === null) return acquireOrigin(dir, instance, key);
  syncDirectory(dir);
  return { origin, lock, tip: { seq: 0, hash: GENESIS }, segment: null, torn: null, damaged };
}

/** Chains of a backup: the machine that was backed up may have gone on with them, and there must not be two records of one seq. */
function endedIn(dir: string): ReadonlySet<string> {
  const path = join(dir, ENDED);
  return new Set(existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []);
}

/** A host name or a configured name, as the first part of a file name. */
export const instanceName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50)
    .replace(/-+$/, '') || 'sluice';
