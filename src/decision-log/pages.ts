/**
 * Where lines of the journal are written, one behind another, so that a batch of them is one run of bytes and is hashed and
 * sent to the disk as it stands.
 */

const PAGE = 1 << 20;

export interface Lines {
  /** the page that the last `room` is in */
  readonly page: Buffer;
  /** @returns where the text may be written, with `more` bytes behind it */
  room(text: string, more: number): number;
  /** what is written so far ends here */
  taken(end: number): void;
}

export class Pages implements Lines {
  page: Buffer = Buffer.allocUnsafeSlow(PAGE);
  #at = 0;
  #spare: Buffer | null = null;

  room(text: string, more: number): number {
    // No unit of a string takes more than three bytes of UTF-8.
    let most = text.length * 3 + more;
    if (most > PAGE) most = Buffer.byteLength(text) + more;
    if (this.#at + most > this.page.length) this.#turn(most);
    return this.#at;
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
  let page = Buffer.alloc(0);
  return {
    get page() {
      return page;
    },
    room(text, more) {
      page = Buffer.alloc(Buffer.byteLength(text) + more);
      return 0;
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
