/**
 * Merkle trees of RFC 6962, section 2.1, with SHA-256: roots, inclusion proofs and consistency proofs, and how a verifier checks them
 * (RFC 9162, sections 2.1.3.2 and 2.1.4.2). Sizes and indexes are safe integers, so no bit operations.
 */
import { createHash } from 'node:crypto';

export const HASH_BYTES = 32;
const [LEAF, NODE] = [Buffer.of(0), Buffer.of(1)];

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hasher = createHash('sha256');
  for (const part of parts) hasher.update(part);
  return hasher.digest();
};
export const leafHash = (entry: Uint8Array): Buffer => sha256(LEAF, entry);
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(NODE, left, right);
/** root of a tree without leaves */
export const EMPTY_ROOT = sha256();

export interface Nodes {
  /** the root of the leaves from `index * 2**level` on, `2**level` of them */
  node(level: number, index: number): Buffer;
}

/** The largest power of two that is less than `n`, and its exponent; `n` is at least 2. */
function split(n: number): { readonly size: number; readonly level: number } {
  let [size, level] = [1, 0];
  while (size * 2 < n) [size, level] = [size * 2, level + 1];
  return { size, level };
}

/** The root of `count` leaves from `first` on. `first` is a multiple of the smallest power of two that is not less than `count`. */
function root(nodes: Nodes, first: number, count: number): Buffer {
  if (count === 1) return nodes.node(0, first);
  const { size, level } = split(count);
  if (size * 2 === count) return nodes.node(level + 1, first / count);
  return nodeHash(nodes.node(level, first / size), root(nodes, first + size, count - size));
}

export const rootOf = (nodes: Nodes, size: number): Buffer =>
  size === 0 ? EMPTY_ROOT : root(nodes, 0, size);

/** PATH of RFC 6962, section 2.1.1: from the sibling of the leaf up. @param index less than `size` */
export function inclusionProof(nodes: Nodes, index: number, size: number): readonly Buffer[] {
  const proof: Buffer[] = [];
  const path = (first: number, count: number): void => {
    if (count === 1) return;
    const { size: left } = split(count);
    if (index < first + left) {
      path(first, left);
      proof.push(root(nodes, first + left, count - left));
    } else {
      path(first + left, count - left);
      proof.push(root(nodes, first, left));
    }
  };
  path(0, size);
  return proof;
}

/** PROOF of RFC 6962, section 2.1.2; empty if `old` is 0 or `size`. @param old at most `size` */
export function consistencyProof(nodes: Nodes, old: number, size: number): readonly Buffer[] {
  const proof: Buffer[] = [];
  const path = (first: number, count: number, rest: number, isWhole: boolean): void => {
    if (rest === count) {
      if (!isWhole) proof.push(root(nodes, first, count));
      return;
    }
    const { size: left } = split(count);
    if (rest <= left) {
      path(first, left, rest, isWhole);
      proof.push(root(nodes, first + left, count - left));
    } else {
      path(first + left, count - left, rest - left, false);
      proof.push(root(nodes, first, left));
    }
  };
  if (old > 0 && old < size) path(0, size, old, true);
  return proof;
}

const half = (n: number): number => Math.floor(n / 2);
const isOdd = (n: number): boolean => n % 2 === 1;

export function isIncluded(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index < 0 || index >= size) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = nodeHash(hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash.equals(root);
}

export function isConsistent(
  old: number,
  size: number,
  proof: readonly Buffer[],
  oldRoot: Buffer,
  root: Buffer,
): boolean {
  if (old > size) return false;
  if (old === size)
    return proof.length === 0 && oldRoot.equals(root) && (size > 0 || root.equals(EMPTY_ROOT));
  if (old === 0) return proof.length === 0 && oldRoot.equals(EMPTY_ROOT);
  let [node, last] = [old - 1, size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  const path = node === 0 ? [oldRoot, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined) return false;
  let [before, after] = [first, first];
  for (const sibling of path) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else after = nodeHash(after, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && before.equals(oldRoot) && after.equals(root);
}

/** Computes the root of a tree that grows, in memory of its height. */
export class Frontier {
  /** roots of complete subtrees, from left to right; each is larger than the next */
  readonly #roots: { readonly level: number; readonly hash: Buffer }[] = [];

  append(entry: Uint8Array): void {
    let [level, hash] = [0, leafHash(entry)];
    for (let last = this.#roots.at(-1); last?.level === level; last = this.#roots.at(-1)) {
      this.#roots.pop();
      [level, hash] = [level + 1, nodeHash(last.hash, hash)];
    }
    this.#roots.push({ level, hash });
  }

  root(): Buffer {
    const hashes = this.#roots.map(({ hash }) => hash);
    return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));
  }
}
