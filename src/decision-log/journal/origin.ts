/**
 * Which chain a starting process continues. An origin is named `<instance>-<8 random hex digits>`: the random part
 * keeps the chains of two machines with one host name apart when their records meet in an index. A process takes the
 * first chain of its instance that nobody appends to and that is not damaged; if there is none, it begins one. So a
 * restart continues its chain, workers take one each, and a damaged chain stays as it was found.
 */
import { randomBytes } from 'node:crypto';
import { GENESIS } from './chain.ts';
import { listOrigins, lockPath, syncDirectory } from './directory.ts';
import { type Lock, tryLock } from './lock.ts';
import { examineTail, setAside, type Tip } from './recover.ts';

export interface Claimed {
  readonly origin: string;
  readonly lock: Lock;
  readonly tip: Tip;
  /** the segment to append to, if there is one */
  readonly segment: { readonly path: string; readonly size: number } | null;
  readonly torn: { readonly file: string; readonly bytes: number; readonly sha256: string } | null;
  /** chains of this instance that were passed over because they are damaged */
  readonly damaged: readonly { readonly origin: string; readonly detail: string }[];
}

/** @throws what the file system says */
export async function claimOrigin(dir: string, instance: string, key: Buffer | null): Promise<Claimed> {
  const damaged: { origin: string; detail: string }[] = [];
  const mine = new RegExp(`^${instance}-[0-9a-f]{8}$`);
  for (const { origin, lock: locked, segments, head } of await listOrigins(dir)) {
    if (!mine.test(origin) || !(locked || head || segments.length > 0)) continue;
    const lock = tryLock(lockPath(dir, origin));
    if (lock === null) continue;
    try {
      // Listed anew: its last owner may have written until just now.
      const files = (await listOrigins(dir)).find((f) => f.origin === origin)!;
      const tail = await examineTail(dir, files, key);
      if (tail.state === 'damaged') {
        damaged.push({ origin, detail: tail.detail });
        lock.release();
        continue;
      }
      const torn = tail.torn === null ? null : setAside(dir, origin, tail.tip, tail.torn);
      return { origin, lock, tip: tail.tip, segment: tail.segment, torn, damaged };
    } catch (e) {
      lock.release();
      throw e;
    }
  }
  const origin = `${instance}-${randomBytes(4).toString('hex')}`;
  const lock = tryLock(lockPath(dir, origin));
  if (lock === null) return claimOrigin(dir, instance, key);
  syncDirectory(dir);
  return { origin, lock, tip: { seq: 0, hash: GENESIS }, segment: null, torn: null, damaged };
}

/** A host name or a configured name, as the first part of a file name. */
export const instanceName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50)
    .replace(/-+$/, '') || 'sluice';
