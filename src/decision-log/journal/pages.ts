/**
 * Where lines of the journal are written, one behind another, so that a batch of them is one run of bytes and is hashed and
 * sent to the disk as it stands.
 */

const PAGE = 1 << 20;

export interface Lines {
  readonly page: Buffer;
  /** in the page, where the next line begins */
  readonly at: number;
  /**
   * Makes room for `more` bytes behind the first `length` of the line that begins at `at`; it may be on another page then, these
   * bytes with it.
   */
  room(length: number, more: number): void;
  /** the line ends here, and the next begins */
  taken(end: number): void;
}

export class Pages implements Lines {
  page: Buffer = Buffer.allocUnsafeSlow(PAGE);
  #at = 0;
  #spare: Buffer | null = null;

  get at(): number {
    return this.#at;
  }

  room(length: number, more: number): void {
    const [page, at] = [this.page, this.#at];
    if (at + length + more <= page.length) return;
    // A line longer than a page would be moved for each of its pieces.
    this.#turn(length + more <= PAGE ? length + more : 2 * (length + more));
    page.copy(this.page, 0, at, at + length);
  }

  taken(end: number): void {
    this.#at = end;
  }

  /** The last line is not wanted. */
  back(bytes: Buffer): void {
    this.#at -= bytes.length;
  }

  /** Everything written so far is about to be sent: what comes now goes to another page. @returns the page, for `reuse` */
  leave(): Buffer {
    const left = this.page;
    this.#turn(0);
    return left;
  }

  /** Nobody needs what is on this page any more. */
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

/** Room for one line of its own. */
export function linesOf(): Lines {
  let page = Buffer.allocUnsafeSlow(4096);
  return {
    get page() {
      return page;
    },
    at: 0,
    room(length, more) {
      if (length + more <= page.length) return;
      const larger = Buffer.allocUnsafeSlow(2 * (length + more));
      page.copy(larger, 0, 0, length);
      page = larger;
    },
    taken: () => undefined,
  };
}

/** Lines in their order as one run of bytes: without a copy where they stand one behind another. */
export function runOf(lines: readonly Buffer[]): Buffer {
  const [first] = lines;
  if (first === undefined) return Buffer.alloc(0);
  let end = first.byteOffset;
  for (const line of lines) {
    if (line.buffer !== first.buffer || line.byteOffset !== end) return Buffer.concat(lines);
    end += line.length;
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
