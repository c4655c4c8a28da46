/**
 * Writes line ends so that they reveal no withheld records (`FormatSetup.uniform`). Each line end is written before the next released line, the
 * last one only if the last line of the body had one. Otherwise `A⏎B` with B withheld would become `A⏎`.
 */
import type { FramePiece, Output } from '../format.ts';

const NOTHING = new Uint8Array(0);

export class LineEnds {
  #pending: Uint8Array = NOTHING;
  /** the last line of the body has a line end */
  complete = true;

  /** Writes the pending line end. Call it before a line is written. */
  before(out: Output): void {
    if (this.#pending.length > 0) out.bytes(this.#pending, 0, this.#pending.length);
    this.#pending = NOTHING;
  }

  /** Keeps the line end of a line that was written without it. */
  after(bytes: Uint8Array): void {
    this.#pending = Uint8Array.from(bytes);
  }

  /** the piece for the end of the body */
  end(): FramePiece {
    return {
      kind: 'frame',
      render: (out) => {
        if (this.complete) this.before(out);
      },
    };
  }
}
