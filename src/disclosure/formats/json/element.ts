/**
 * An element of a list or member of a map that contains its record at a deeper level (`resource` in an `entry` of a FHIR Bundle, `node` in a
 * GraphQL edge). A withheld record must leave no gap, and `{}` would be one. So the bytes around the record within the element are held back until
 * the record is released; an element whose records were all withheld is removed with its separator.
 */
import { SluiceError } from '../../../errors.ts';
import { Deferred } from '../shared/deferred.ts';
import type { Counted, FrameCounter, Output, RecordPiece, RecordScope, Rendering } from '../format.ts';

export class JsonElement implements Counted {
  readonly #outer: JsonElement | undefined;
  readonly #limit: number;
  /** writes the start of the element, from a copy */
  readonly #begin: (out: Output) => void;
  #held: Buffer[] | null = [];
  #size = 0;
  #withheld = false;
  // `Counted`: for its records
  released = 0;
  withheld = 0;
  closed = false;

  /** collects the counts of dropped fields within it; null: they are counted at once */
  readonly deferred: Deferred | null;

  /**
   * @param limit number of bytes that may be held back
   * @param uniform a removed element must not be counted
   */
  constructor(outer: JsonElement | undefined, limit: number, uniform: boolean, begin: (out: Output) => void) {
    this.#outer = outer;
    this.#limit = limit;
    this.#begin = begin;
    this.deferred = uniform ? new Deferred() : null;
  }

  /** the output for bytes within the element and outside of its record */
  around(out: Output): Output {
    return this.#held === null ? (this.#outer?.around(out) ?? out) : this.#holding;
  }

  /** Keeps the element and those around it: writes what was held back. */
  keep(out: Output): void {
    this.#outer?.keep(out);
    this.#release(out);
  }

  #release(out: Output): void {
    if (this.#held === null) return;
    const held = this.#held;
    this.#held = null;
    this.#begin(out);
    for (const bytes of held) out.bytes(bytes, 0, bytes.length);
  }

  withhold(): void {
    this.#withheld = true;
  }

  /** Counts one of its records. */
  count(stays: boolean): void {
    if (stays) this.released++;
    else this.withheld++;
    this.#outer?.count(stays);
  }

  /** @returns false: the element is removed, its end included */
  close(out: Output, counter: FrameCounter): boolean {
    this.closed = true;
    if (this.#held !== null && this.#withheld) return false;
    this.deferred?.flush(this.#outer?.deferred ?? counter);
    this.#release(this.#outer?.around(out) ?? out);
    return true;
  }

  readonly #holding: Output = {
    bytes: (source, start, end) => this.#hold(Buffer.from(source.subarray(start, end))),
    text: (text) => this.#hold(Buffer.from(text)),
    json: (text) => this.#hold(Buffer.from(JSON.stringify(text))),
  };

  /** Holds back bytes. */
  #hold(bytes: Buffer): void {
    this.#size += bytes.length;
    if (this.#size > this.#limit)
      throw new SluiceError(
        'record_too_large',
        `A list element has more than ${this.#limit} bytes around its record (limits.record).`,
      );
    this.#held?.push(bytes);
  }
}

/** A record within an element: if it is released, the element is kept. */
export class ElementRecord implements RecordPiece {
  readonly kind = 'record';
  readonly #record: RecordPiece;
  readonly #element: JsonElement;
  /** the record is itself an element of a list within the element */
  readonly #listed: boolean;

  constructor(record: RecordPiece, element: JsonElement, listed: boolean) {
    this.#record = record;
    this.#element = element;
    this.#listed = listed;
  }

  get size(): number {
    return this.#record.size;
  }
  get scopes(): readonly RecordScope[] {
    return this.#record.scopes;
  }

  render(out: Output, rendering: Rendering | null): void {
    this.#element.count(rendering !== null);
    if (rendering !== null || this.#listed) this.#element.keep(out);
    else this.#element.withhold();
    this.#record.render(out, rendering);
  }

  group(rendering: Rendering): string {
    return this.#record.group(rendering);
  }
}
