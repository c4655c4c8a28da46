/**
 * NDJSON (also JSON Lines): each line is a JSON value and a record. Empty lines are kept; a withheld record is removed with its line end, and two
 * empty lines around it become one. A value that spans lines is refused, since other readers read line by line.
 */
import { SluiceError } from '../../../errors.ts';
import type { BodyReader, Format, FormatSetup, Output, Piece } from '../format.ts';
import { AMBIGUOUS, type JsonPage, TOO_DEEP } from './entries.ts';
import { JsonInput } from './input.ts';
import { JsonRecord, type JsonSession, type Lead } from './record.ts';
import { jsonRenderer } from './render.ts';
import { DEEPEST, jsonScanner } from './scan.ts';
import { LineEnds } from '../shared/line-ends.ts';
import { inItsCharset } from './transcoded.ts';

export const ndjson: Format = {
  name: 'ndjson',
  layout: 'rows',
  media: {
    types: ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'],
    html: true,
    charsetParameter: 'unless_utf8',
  },
  open: (setup) => inItsCharset(setup, (utf8) => new NdjsonReader(utf8)),
};

const NEWLINE = 0x0a;

class NdjsonReader implements BodyReader {
  readonly #setup: FormatSetup;
  readonly #session: JsonSession;
  readonly #in = new JsonInput();
  /** start of the line, and how far it was searched for its end */
  #line = 0;
  #looked = 0;
  readonly #pages: JsonPage[] = [];
  // only used while rendering: a record was withheld since the last released one; nothing was released since the last empty line
  #withheld = false;
  #afterBlank = true;
  readonly #ends: LineEnds | null;

  constructor(setup: FormatSetup) {
    this.#setup = setup;
    this.#ends = setup.uniform === true ? new LineEnds() : null;
    const most = setup.limits.record_members;
    this.#session = { matcher: setup.matcher, scanner: jsonScanner(), renderer: jsonRenderer(), most };
  }

  push(chunk: Uint8Array): readonly Piece[] {
    const moved = this.#in.push(chunk, this.#line);
    this.#line -= moved;
    this.#looked -= moved;
    return this.#run(false);
  }

  settled(): void {
    for (const page of this.#pages) this.#session.scanner.release(page);
    this.#pages.length = 0;
    this.#in.free = true;
  }

  end(): readonly Piece[] {
    this.#in.finish();
    const pieces = this.#run(true);
    return this.#ends === null ? pieces : [...pieces, this.#ends.end()];
  }

  #run(final: boolean): readonly Piece[] {
    const input = this.#in;
    const pieces: Piece[] = [];
    input.free = false;
    if (!input.started) {
      if (!input.start(final)) return pieces;
      this.#line = input.at;
      this.#looked = input.at;
    }
    const { scanner, matcher } = this.#session;
    let begun = false;
    while (true) {
      const at = input.buffer.subarray(0, input.end).indexOf(NEWLINE, this.#looked);
      if (at < 0 && !(final && this.#line < input.end)) break;
      const end = at < 0 ? input.end : at + 1;
      if (!begun) this.#pages.push(scanner.begin(matcher, input.buffer, this.#line, input.end));
      begun = true;
      pieces.push(this.#piece(this.#line, end));
      this.#line = end;
      this.#looked = end;
    }
    scanner.take();
    this.#looked = input.end;
    input.at = this.#line;
    input.check(this.#line, this.#setup.limits.record_bytes);
    return pieces;
  }

  /** the line from `start` to `end`, line end included */
  #piece(start: number, end: number): Piece {
    const input = this.#in;
    const { buffer } = input;
    const { limits, matcher } = this.#setup;
    const ends = this.#ends;
    if (ends !== null) ends.complete = buffer[end - 1] === NEWLINE;
    if (end - start > limits.record_bytes) throw input.tooLarge(limits.record_bytes);
    const value = white(buffer, start, end);
    if (value === end)
      return {
        kind: 'frame',
        render: (out: Output) => {
          if (this.#withheld && this.#afterBlank) return;
          this.#afterBlank = true;
          ends?.before(out);
          out.bytes(buffer, start, end);
        },
      };
    const { scanner } = this.#session;
    const depth = Math.min(limits.depth, DEEPEST);
    const close = scanner.scan(value, end, matcher.root, 0, depth, true);
    if (close === TOO_DEEP)
      throw new SluiceError(
        'response_too_deep',
        `A record has containers nested deeper than ${limits.depth} (limits.depth).`,
      );
    if (close === AMBIGUOUS)
      throw input.malformed(scanner.errorAt, 'an object has a member twice that a catalog path selects by');
    if (close < 0) throw input.malformed(scanner.errorAt, 'a line is not JSON (RFC 8259)');
    if (white(buffer, close, end) !== end)
      throw input.malformed(close, 'there are characters after the value of its line');
    const lead: Lead = {
      write: (out) => {
        this.#withheld = false;
        this.#afterBlank = false;
        ends?.before(out);
        ends?.after(buffer.subarray(close, end));
        out.bytes(buffer, start, value);
      },
      withhold: () => {
        this.#withheld = true;
      },
    };
    return new JsonRecord(
      this.#session,
      buffer,
      { start: value, end: close, size: end - start, name: null },
      lead,
      ends === null ? end - close : 0,
    );
  }
}

function white(buffer: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const c = buffer[at]!;
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    at++;
  }
  return at;
}
