/**
 * Buffers for lines of the journal. Lines are written one after another, so that a batch is contiguous and is hashed and
 * written to disk without a copy.
 */

const PAGE = 1 << 20;

export interface LineBuffer {
  readonly page: Buffer;
  /** offset in the page at which the next line begins */
  readonly at: number;
  /**
   * Reserves `more` bytes after the first `length` bytes of the line at `at`. The line may move to another page, with the
   * bytes written so far.
   */
  reserve(length: number, more: number): void;
  /** the line ends here, and the next begins */
  endLine(end: number): void;
}

export class Pages implements LineBuffer {
  page: Buffer = Buffer.allocUnsafeSlow(PAGE);
  #at = 0;
  #spare: Buffer | null = null;

  get at(): number {
    return this.#at;
  }

  reserve(length: number, more: number): void {
    const [page, at] = [this.page, this.#at];
    if (at + length + more <= page.length) return;
    // Doubling avoids that a line longer than a page moves at every write.
    this.#turn(length + more <= PAGE ? length + more : 2 * (length + more));
    page.copy(this.page, 0, at, at + length);
  }

  endLine(end: number): void {
    this.#at = end;
  }

  /** Discards the last line. */
  undo(bytes: Buffer): void {
    this.#at -= bytes.length;
  }

  /** Starts a new page, because the lines written so far are about to be sent. @returns the old page, for `reuse` */
  detach(): Buffer {
    const page = this.page;
    this.#turn(0);
    return page;
  }

  /** The lines on this page are no longer needed. */
  reuse(page: Buffer): void {
    if (page.length === PAGE) this.#spare = page;
  }

  #turn(least: number): void {
    this.page =
      least <= PAGE && this.#spare !== null ? this.#spare : Buffer.allocUnsafeSlow(Math.max(PAGE, least));
    this.#spare = null;
    this.#at = 0;
  }
}

/** A buffer for a single line. */
export function singleLine(): LineBuffer {
  let page = Buffer.allocUnsafeSlow(4096);
  return {
    get page() {
      return page;
    },
    at: 0,
    reserve(length, more) {
      if (length + more <= page.length) return;
      const larger = Buffer.allocUnsafeSlow(2 * (length + more));
      page.copy(larger, 0, 0, length);
      page = larger;
    },
    endLine: () => undefined,
  };
}

/** The lines as one buffer; no copy if they are adjacent. */
export function contiguous(lines: readonly Buffer[]): Buffer {
  const [first] = lines;
  if (first === undefined) return Buffer.alloc(0);
  let end = first.byteOffset;
  for (const line of lines) {
    if (line.buffer !== first.buffer || line.byteOffset !== end) return Buffer.concat(lines);
    end += line.length;
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
