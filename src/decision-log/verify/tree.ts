/** Compares a chain with signed checkpoints: its own newest one, and those that are kept elsewhere. */
import { isSluiceError } from '../../errors.ts';
import type { Checkpoint } from '../tree/checkpoint.ts';
import { logDirectory, publishedCheckpoint } from '../tree/log.ts';
import { Frontier } from '../tree/merkle.ts';
import { readTree, TileMissing } from '../tree/tiles.ts';
import type { ProblemKind } from './problems.ts';

type Report = (what: ProblemKind, message: string, seq: number | null) => void;

export class TreeCheck {
  readonly #dir: string;
  readonly #origin: string;
  readonly #report: Report;
  /** by size */
  readonly #wanted = new Map<number, Checkpoint[]>();
  #frontier: Frontier | null = new Frontier();
  #size = 0;
  #last = 0;

  constructor(dir: string, origin: string, checkpoints: readonly Checkpoint[], report: Report) {
    this.#dir = dir;
    this.#origin = origin;
    this.#report = report;
    for (const checkpoint of [...checkpoints, ...this.#own()]) {
      const same = this.#wanted.get(checkpoint.size) ?? [];
      same.push(checkpoint);
      this.#wanted.set(checkpoint.size, same);
      this.#last = Math.max(this.#last, checkpoint.size);
    }
  }

  #own(): readonly Checkpoint[] {
    try {
      const published = publishedCheckpoint(this.#dir, this.#origin);
      return published === null ? [] : [published.checkpoint];
    } catch (e) {
      if (!isSluiceError(e)) throw e;
      this.#report('checkpoint_mismatch', `The checkpoint of this chain cannot be read: ${e.message}`, null);
      return [];
    }
  }

  /** Records that were archived: their hashes are in the tiles. What is in them counts if the root that a checkpoint signs comes out. */
  skip(until: number, hash: string): void {
    if (this.#last === 0) return;
    const published = this.#own()[0];
    try {
      const tree = readTree(logDirectory(this.#dir, this.#origin), published?.size ?? 0);
      for (let seq = 1; seq <= until; seq++) this.append(seq, tree.entry(seq - 1).toString('hex'));
      if (tree.entry(until - 1).toString('hex') === hash) return;
    } catch (e) {
      if (!(e instanceof TileMissing)) throw e;
    }
    this.#frontier = null;
    this.#report(
      'checkpoint_mismatch',
      `Records 1 to ${until} were archived, and the tiles do not hold their hashes, so no checkpoint can be compared.`,
      until,
    );
  }

  append(seq: number, hash: string): void {
    if (this.#frontier === null || seq > this.#last) return;
    // A gap is reported elsewhere; what follows it has another place in the tree.
    if (seq !== this.#size + 1) {
      this.#frontier = null;
      return;
    }
    this.#size = seq;
    this.#frontier.append(Buffer.from(hash, 'hex'));
    const wanted = this.#wanted.get(seq);
    if (wanted === undefined) return;
    const root = this.#frontier.root();
    if (wanted.every((checkpoint) => checkpoint.root.equals(root))) return;
    this.#report(
      'checkpoint_mismatch',
      `A checkpoint over the first ${seq} records has another root: a record among them was replaced.`,
      seq,
    );
  }

  end(): void {
    if (this.#frontier === null || this.#size >= this.#last) return;
    this.#report(
      'tail_missing',
      `The chain reached ${this.#last} according to a checkpoint, but ends at ${this.#size}.`,
      this.#size + 1,
    );
  }
}
