/**
 * An element of a list, or a member of a map, that holds its record deeper (`resource` in an `entry` of a FHIR Bundle, `node` in an edge of GraphQL). A withheld record
 * must leave no hole, and `{}` is one: it tells how many there were. So what stands around the record within its element is held back
 * until the record is known to stay; an element whose only records were withheld is left out whole, its separator included.
 */
import { SluiceError } from '../../../errors.ts';
import { Deferred } from '../shared/deferred.ts';
import type { Counted, FrameCounter, Output, RecordPiece, RecordScope, Rendering } from '../format.ts';

export class JsonElement implements Counted {
  readonly #outer: JsonElement | undefined;
  readonly #limit: number;
  /** writes what begins the element; it comes from bytes of its own */
  readonly #begin: (out: Output) => void;
  #held: Buffer[] | null = [];
  #size = 0;
  #withheld = false;
  // of its records, and whether they are all there: `Counted`
  released = 0;
  withheld = 0;
  closed = false;

  /** where it is told what was left out in it; null: at once */
  readonly deferred: Deferred | null;

  /**
   * @param limit bytes that may be held back
   * @param uniform one that goes must not be told of
   */
  constructor(outer: JsonElement | undefined, limit: number, uniform: boolean, begin: (out: Output) => void) {
    this.#outer = outer;
    this.#limit = limit;
    this.#begin = begin;
    this.deferred = uniform ? new Deferred() : null;
  }

  /** where something within the element but outside of its record goes */
  around(out: Output): Output {
    return this.#held === null ? (this.#outer?.around(out) ?? out) : this.#holding;
  }

  /** The element stays, and those around it: what was held back is written. */
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

  /** one of its records stays, or not */
  count(stays: boolean): void {
    if (stays) this.released++;
    else this.withheld++;
    this.#outer?.count(stays);
  }

  /** @returns false: nothing of it is written, its end neither */
  close(out: Output, counter: FrameCounter): boolean {
    this.closed = true;
    if (this.#held !== null && this.#withheld) return false;
    this.deferred?.tell(this.#outer?.deferred ?? counter);
    this.#release(this.#outer?.around(out) ?? out);
    return true;
  }

  readonly #holding: Output = {
    bytes: (source, start, end) => this.#hold(Buffer.from(source.subarray(start, end))),
    text: (text) => this.#hold(Buffer.from(text)),
    json: (text) => this.#hold(Buffer.from(JSON.stringify(text))),
  };

  /** The bytes are the caller's again afterwards. */
  #hold(bytes: Buffer): void {
    this.#size += bytes.length;
    if (this.#size > this.#limit)
      throw new SluiceError(
        'record_too_large',
        `what stands around a record within its list element is longer than ${this.#limit} bytes (limits.record)`,
      );
    this.#held?.push(bytes);
  }
}

/** A record within an element: it decides what becomes of the element. */
export class ElementRecord implements RecordPiece {
  readonly kind = 'record';
  readonly #record: RecordPiece;
  readonly #element: JsonElement;
  /** the record is an element itself, of a list within the element */
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
