/**
 * Line ends of records that are lines, for lists that must not tell of withheld records (`FormatSetup.uniform`): each is written before the
 * next record that leaves, the last one only if the body's last line had one. Otherwise `A⏎B` without B would leave as `A⏎`, and tell.
 */
import type { FramePiece, Output } from '../format.ts';

const NOTHING = new Uint8Array(0);

export class LineEnds {
  #due: Uint8Array = NOTHING;
  /** the body's last line ends with a line end */
  complete = true;

  /** a line is about to be written */
  before(out: Output): void {
    if (this.#due.length > 0) out.bytes(this.#due, 0, this.#due.length);
    this.#due = NOTHING;
  }

  /** a line was written without its end, which is these bytes */
  after(bytes: Uint8Array): void {
    this.#due = Uint8Array.from(bytes);
  }

  /** the body is over */
  end(): FramePiece {
    return {
      kind: 'frame',
      render: (out) => {
        if (this.complete) this.before(out);
      },
    };
  }
}
