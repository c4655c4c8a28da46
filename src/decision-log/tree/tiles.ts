/**
 * A tree in files, as C2SP tlog-tiles lays it out: tiles of 256 hashes, and bundles of 256 entries. An entry is the hash of a record, which
 * commits to the record and to all records before it, and discloses nothing. https://c2sp.org/tlog-tiles
 *
 *   checkpoint                           the newest signed checkpoint
 *   tile/<level>/<n>[.p/<width>]         hashes of the tree: each of 256**level leaves
 *   tile/entries/<n>[.p/<width>]         entries, each with its length in two bytes before it
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HASH_BYTES, leafHash, nodeHash, type Nodes } from './merkle.ts';

export const WIDTH = 256;
const ENTRY_BYTES = 2 + HASH_BYTES;
/** tiles that are kept in memory by a reader */
const KEPT = 64;

/** 1234067 → x001/x234/067 */
export function tileNumber(n: number): string {
  let [path, rest] = [String(n % 1000).padStart(3, '0'), Math.floor(n / 1000)];
  for (; rest > 0; rest = Math.floor(rest / 1000)) path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  return path;
}

const tilePath = (dir: string, level: number | 'entries', n: number, width: number): string =>
  join(dir, 'tile', String(level), tileNumber(n) + (width === WIDTH ? '' : `.p/${width}`));

/** The width of tile `n` at `level` in a tree of this size; 0: the tree does not have it. */
export const widthOf = (size: number, level: number, n: number): number =>
  Math.min(WIDTH, Math.max(0, Math.floor(size / WIDTH ** level) - n * WIDTH));

/** A tile is missing or damaged. What it held can be made again from the journal. */
export class TileMissing extends Error {}

function read(dir: string, level: number | 'entries', n: number, width: number): Buffer {
  const each = level === 'entries' ? ENTRY_BYTES : HASH_BYTES;
  const widths = width === WIDTH ? [WIDTH] : [width, WIDTH];
  for (const w of widths) {
    try {
      const bytes = readFileSync(tilePath(dir, level, n, w));
      if (bytes.length === w * each) return bytes.subarray(0, width * each);
    } catch {
      // The full tile replaces the partial ones.
    }
  }
  throw new TileMissing(`tile ${level}/${tileNumber(n)} of width ${width} is missing or damaged`);
}

/** The nodes of a tree of this size, from its tiles. Its methods throw `TileMissing`. */
export function readTree(dir: string, size: number): Nodes & { entry(index: number): Buffer } {
  const kept = new Map<string, Buffer>();
  const tile = (level: number | 'entries', n: number): Buffer => {
    const name = `${level} ${n}`;
    let bytes = kept.get(name);
    if (bytes === undefined) {
      if (kept.size === KEPT) kept.delete(kept.keys().next().value!);
      bytes = read(dir, level, n, widthOf(size, level === 'entries' ? 0 : level, n));
      kept.set(name, bytes);
    }
    return bytes;
  };
  return {
    node(level, index) {
      const row = Math.floor(level / 8);
      const count = 2 ** (level % 8);
      const first = index * count;
      const n = Math.floor(first / WIDTH);
      const at = (first % WIDTH) * HASH_BYTES;
      const bytes = tile(row, n).subarray(at, at + count * HASH_BYTES);
      if (bytes.length < count * HASH_BYTES)
        throw new TileMissing(`tile ${row}/${tileNumber(n)} is too short`);
      return foldedOf(bytes);
    },
    entry(index) {
      const at = (index % WIDTH) * ENTRY_BYTES + 2;
      return Buffer.from(tile('entries', Math.floor(index / WIDTH)).subarray(at, at + HASH_BYTES));
    },
  };
}

/** The root of a power of two of hashes. */
function foldedOf(hashes: Buffer): Buffer {
  if (hashes.length === HASH_BYTES) return Buffer.from(hashes);
  const middle = hashes.length / 2;
  return nodeHash(foldedOf(hashes.subarray(0, middle)), foldedOf(hashes.subarray(middle)));
}

/** Appends to a tree. Files are not flushed: what a power cut takes is made again from the journal. */
export class TreeWriter {
  readonly #dir: string;
  #size: number;
  /** of each level, the hashes of the last tile, which is not full */
  readonly #edges: Buffer[][] = [];
  #entries: Buffer[] = [];
  /** partial tiles of tiles that are full now */
  readonly #replaced: string[] = [];

  /** @throws TileMissing if the tree of this size is not complete */
  constructor(dir: string, size: number) {
    this.#dir = dir;
    this.#size = size;
    for (let level = 0; WIDTH ** level <= size; level++) {
      const count = Math.floor(size / WIDTH ** level);
      const width = count % WIDTH;
      this.#edges[level] =
        width === 0 ? [] : chunks(read(dir, level, Math.floor(count / WIDTH), width), HASH_BYTES);
    }
    if (size % WIDTH > 0)
      this.#entries = chunks(read(dir, 'entries', Math.floor(size / WIDTH), size % WIDTH), ENTRY_BYTES);
  }

  get size(): number {
    return this.#size;
  }

  /** @param entry 32 bytes */
  append(entry: Buffer): void {
    this.#entries.push(Buffer.concat([Buffer.of(0, HASH_BYTES), entry]));
    if (this.#entries.length === WIDTH) {
      this.#write('entries', Math.floor(this.#size / WIDTH), this.#entries);
      this.#entries = [];
    }
    this.#push(0, leafHash(entry));
    this.#size++;
  }

  #push(level: number, hash: Buffer): void {
    this.#edges[level] ??= [];
    const edge = this.#edges[level];
    edge.push(hash);
    if (edge.length < WIDTH) return;
    this.#write(level, Math.floor(this.#size / WIDTH ** (level + 1)), edge);
    this.#edges[level] = [];
    this.#push(level + 1, foldedOf(Buffer.concat(edge)));
  }

  /** Writes the tiles that are not full, so that the tree of this size can be read. */
  flush(): void {
    for (const [level, edge] of this.#edges.entries())
      if (edge.length > 0) this.#write(level, Math.floor(this.#size / WIDTH ** (level + 1)), edge);
    if (this.#entries.length > 0) this.#write('entries', Math.floor(this.#size / WIDTH), this.#entries);
  }

  /** Removes partial tiles that full ones have replaced. Call it when a checkpoint that does not need them is public. */
  tidy(): void {
    for (const dir of this.#replaced.splice(0)) rmSync(dir, { recursive: true, force: true });
  }

  #write(level: number | 'entries', n: number, parts: readonly Buffer[]): void {
    const path = tilePath(this.#dir, level, n, parts.length);
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    writeFileSync(`${path}.new`, Buffer.concat(parts), { mode: 0o640 });
    renameSync(`${path}.new`, path);
    if (parts.length === WIDTH) this.#replaced.push(`${path}.p`);
  }
}

const chunks = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: bytes.length / size }, (_, i) =>
    Buffer.from(bytes.subarray(i * size, (i + 1) * size)),
  );
