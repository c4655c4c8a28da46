/** The tree against the definitions of RFC 6962, and its verifiers against every proof and every change of one. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import {
  consistencyProof,
  EMPTY_ROOT,
  Frontier,
  inclusionProof,
  isConsistent,
  isIncluded,
  leafHash,
  type Nodes,
  rootOf,
} from '../../../src/decision-log/tree/merkle.ts';
import {
  readTree,
  tileNumber,
  TileMissing,
  TreeWriter,
  widthOf,
} from '../../../src/decision-log/tree/tiles.ts';

const sha = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
/** MTH of RFC 6962, section 2.1, word for word */
function mth(d: readonly Buffer[]): Buffer {
  if (d.length === 0) return sha();
  if (d.length === 1) return sha(Buffer.of(0), d[0]!);
  let k = 1;
  while (k * 2 < d.length) k *= 2;
  return sha(Buffer.of(1), mth(d.slice(0, k)), mth(d.slice(k)));
}
const entries = (n: number): Buffer[] => Array.from({ length: n }, (_, i) => sha(Buffer.from(`entry ${i}`)));
const inMemory = (d: readonly Buffer[]): Nodes => ({
  node: (level, index) => mth(d.slice(index * 2 ** level, (index + 1) * 2 ** level)),
});

const dirs: string[] = [];
const temporary = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-tree-'));
  dirs.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

describe('the tree', () => {
  test('has the roots of RFC 6962 at every size, also of a tree that grows', () => {
    const all = entries(70);
    const frontier = new Frontier();
    expect(frontier.root()).toEqual(EMPTY_ROOT);
    for (let n = 0; n <= all.length; n++) {
      expect(rootOf(inMemory(all.slice(0, n)), n)).toEqual(mth(all.slice(0, n)));
      expect(frontier.root()).toEqual(mth(all.slice(0, n)));
      if (n < all.length) frontier.append(all[n]!);
    }
  });

  test('proves that each leaf is in each tree, and no other leaf or place', () => {
    for (let size = 1; size <= 40; size++) {
      const all = entries(size);
      const root = mth(all);
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(inMemory(all), index, size);
        const leaf = leafHash(all[index]!);
        expect(isIncluded(leaf, index, size, proof, root)).toBe(true);
        expect(isIncluded(leafHash(Buffer.from('other')), index, size, proof, root)).toBe(false);
        expect(isIncluded(leaf, index, size, [...proof, root], root)).toBe(false);
        expect(isIncluded(leaf, index, size, proof.slice(1), root)).toBe(size === 1);
        for (let other = 0; other <= size; other++)
          if (other !== index) expect(isIncluded(leaf, other, size, proof, root)).toBe(false);
      }
    }
  });

  test('proves that each tree continues each shorter one, and refuses every other root', () => {
    for (let size = 0; size <= 40; size++) {
      const all = entries(size);
      for (let old = 0; old <= size; old++) {
        const proof = consistencyProof(inMemory(all), old, size);
        const [before, root] = [mth(all.slice(0, old)), mth(all)];
        expect(isConsistent(old, size, proof, before, root)).toBe(true);
        expect(isConsistent(old, size, proof, sha(before), root)).toBe(false);
        // Of nothing, everything is the continuation.
        if (old > 0) expect(isConsistent(old, size, proof, before, sha(root))).toBe(false);
        expect(isConsistent(old, size, [...proof, root], before, root)).toBe(false);
        if (proof.length > 0) expect(isConsistent(old, size, proof.slice(0, -1), before, root)).toBe(false);
      }
    }
  });

  test('refuses a proof in which one byte differs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), fc.nat(), (size, i, at, byte) => {
        const all = entries(size);
        const index = i % size;
        const proof = inclusionProof(inMemory(all), index, size).map((h) => Buffer.from(h));
        const changed = proof[at % proof.length]!;
        changed[byte % 32]! ^= 1;
        expect(isIncluded(leafHash(all[index]!), index, size, proof, mth(all))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('tiles', () => {
  test('hold the tree and its entries, however it was cut into passes', () => {
    const all = entries(70_000);
    const roots = new Map<number, Buffer>();
    const frontier = new Frontier();
    const sizes = [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000];
    for (const [i, entry] of all.entries()) {
      frontier.append(entry);
      if (sizes.includes(i + 1)) roots.set(i + 1, frontier.root());
    }
    const dir = temporary();
    let from = 0;
    for (const size of sizes) {
      const writer = new TreeWriter(dir, from);
      for (; from < size; from++) writer.append(all[from]!);
      writer.flush();
      const tree = readTree(dir, size);
      expect(rootOf(tree, size)).toEqual(roots.get(size));
      for (const index of [0, Math.floor(size / 2), size - 1]) {
        expect(tree.entry(index)).toEqual(all[index]);
        const proof = inclusionProof(tree, index, size);
        expect(isIncluded(leafHash(all[index]!), index, size, proof, roots.get(size)!)).toBe(true);
      }
      writer.tidy();
    }
    // Earlier trees are still in the tiles, where partial tiles were replaced too.
    for (const old of [1, 255, 256, 511, 65_536]) {
      const proof = consistencyProof(readTree(dir, 70_000), old, 70_000);
      expect(isConsistent(old, 70_000, proof, roots.get(old)!, roots.get(70_000)!)).toBe(true);
    }
    // C2SP tlog-tiles: 273 full tiles and one of 112, one full and one of 17, one of 1.
    expect([272, 273, 274].map((n) => widthOf(70_000, 0, n))).toEqual([256, 112, 0]);
    expect([0, 1, 2].map((n) => widthOf(70_000, 1, n))).toEqual([256, 17, 0]);
    expect(widthOf(70_000, 2, 0)).toBe(1);
  });

  test('are named as C2SP names them', () => {
    expect(tileNumber(1_234_067)).toBe('x001/x234/067');
    expect(tileNumber(7)).toBe('007');
    expect(tileNumber(1000)).toBe('x001/000');
  });

  test('that are missing or cut short are named, never guessed', () => {
    const dir = temporary();
    const writer = new TreeWriter(dir, 0);
    for (const entry of entries(300)) writer.append(entry);
    writer.flush();
    rmSync(join(dir, 'tile/0/000'));
    expect(() => rootOf(readTree(dir, 300), 300)).not.toThrow();
    expect(() => inclusionProof(readTree(dir, 300), 3, 300)).toThrow(TileMissing);
    rmSync(join(dir, 'tile/0/001.p'), { recursive: true });
    expect(() => new TreeWriter(dir, 300)).toThrow(TileMissing);
  });
});
