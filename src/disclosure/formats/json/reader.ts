/**
 * Reads JSON (RFC 8259) as a stream. The structure that leads to the records is followed token by token; a record, or a value around the
 * records, is scanned when it is complete. A byte order mark is removed (RFC 8259 §8.1 forbids sending one). For charsets other than UTF-8 see
 * `transcoded.ts`. Longer than most: one state machine.
 */
import { SluiceError } from '../../../errors.ts';
import { escapeToken } from '../../../model/pointer.ts';
import type { BodyReader, Format, FormatSetup, FrameCounter, Output, Piece, StateId } from '../format.ts';
import { exactly } from '../shared/count.ts';
import { holdsObject } from './container.ts';
import { ElementRecord, JsonElement } from './element.ts';
import { AMBIGUOUS, type JsonPage, MALFORMED, MORE, TOO_DEEP } from './entries.ts';
import { JsonRecord, type JsonSession, type Lead } from './record.ts';
import { jsonRenderer } from './render.ts';
import { DEEPEST, type JsonScanner, jsonScanner } from './scan.ts';
import { JsonInput } from './input.ts';
import { leadsOn } from './more.ts';
import { textAt } from './text.ts';
import { inItsCharset } from './transcoded.ts';

export const json: Format = {
  name: 'json',
  layout: 'value',
  media: {
    types: ['application/json', 'text/json'],
    suffix: {
      name: '+json',
      registered: [
        'application/hal+json',
        'application/vnd.api+json',
        'application/fhir+json',
        'application/ld+json',
        'application/geo+json',
        'application/scim+json',
        'application/problem+json',
      ],
    },
    html: true,
    charsetParameter: 'unless_utf8',
  },
  open: (setup) => inItsCharset(setup, (utf8) => new JsonReader(utf8)),
};

/** An open container around the records. */
interface Frame {
  readonly array: boolean;
  readonly state: StateId;
  readonly parent: Frame | undefined;
  /** the list element that it is or belongs to */
  readonly element: JsonElement | undefined;
  /** its name in the parent; null: an element, or the root */
  readonly name: string | null;
  /** number of elements so far */
  index: number;
  /** number of members written; only used while rendering */
  kept: number;
  /** white space before the first member, which is written before the first kept one */
  lead: Buffer;
}

/** the path of a member of a container */
function pathOf(frame: Frame | undefined, name: string | null): string {
  if (frame === undefined) return '';
  return `${pathOf(frame.parent, frame.name)}/${name === null ? '*' : escapeToken(name)}`;
}

const NO_BYTES = Buffer.alloc(0);

/** the expected next token (after white space) */
const ROOT = 0; // the value of the body
const FIRST = 1; // a member, or the end of the container
const COMMA = 2; // a comma, or the end of the container
const MEMBER = 3; // a member
const COLON = 4;
const VALUE = 5;
const NOTHING = 6; // the body is complete

class JsonReader implements BodyReader {
  readonly #setup: FormatSetup;
  readonly #session: JsonSession;
  readonly #in: JsonInput;
  readonly #depth: number;
  readonly #frames: Frame[] = [];
  #due = ROOT;
  #pieces: Piece[] = [];
  #ready = false;
  #pages: JsonPage[] = [];
  /** end of the previous member, start of this member (offsets into the buffer), and the state of its value */
  #gap = 0;
  #member = 0;
  #state: StateId;
  /** the member's name; null: an element, or the root */
  #name: string | null = null;

  constructor(setup: FormatSetup) {
    this.#setup = setup;
    this.#session = {
      matcher: setup.matcher,
      scanner: jsonScanner(),
      renderer: jsonRenderer(),
      most: setup.limits.record_members,
    };
    this.#in = new JsonInput();
    this.#depth = Math.min(setup.limits.depth, DEEPEST);
    this.#state = setup.envelope.root;
  }

  push(chunk: Uint8Array): readonly Piece[] {
    this.#rebase(this.#in.push(chunk, this.#gap));
    return this.#run(false);
  }

  settled(): void {
    if (this.#pages.length > 0) {
      for (const page of this.#pages) this.#session.scanner.release(page);
      this.#pages = [];
    }
    this.#in.free = true;
  }

  end(): readonly Piece[] {
    this.#in.finish();
    return this.#last();
  }

  pushAll(body: Uint8Array): readonly Piece[] {
    this.#in.setAll(body);
    return this.#last();
  }

  #last(): readonly Piece[] {
    const pieces = this.#run(true);
    if (this.#due !== NOTHING) throw this.#in.malformed(this.#in.at, 'it is truncated');
    return pieces;
  }

  #rebase(moved: number): void {
    this.#gap -= moved;
    this.#member -= moved;
  }

  #run(final: boolean): readonly Piece[] {
    this.#pieces = [];
    this.#ready = false;
    this.#in.free = false;
    while (this.#advance(final));
    this.#session.scanner.take();
    this.#in.check(this.#gap, this.#setup.limits.record_bytes);
    return this.#pieces;
  }

  /** Passes the bytes to the scanner, once for each run. */
  #scanner(): JsonScanner {
    const { scanner, matcher } = this.#session;
    if (!this.#ready) this.#pages.push(scanner.begin(matcher, this.#in.buffer, this.#in.at, this.#in.end));
    this.#ready = true;
    return scanner;
  }

  /** one step; false: more bytes are needed, or the body is complete */
  #advance(final: boolean): boolean {
    const input = this.#in;
    if (!input.started) {
      if (!input.start(final)) return false;
      this.#gap = input.at;
    }
    if (!input.white()) {
      if (this.#due === NOTHING) this.#trail();
      return false;
    }
    switch (this.#due) {
      case ROOT:
        this.#member = input.at;
        this.#due = VALUE;
        return true;
      case FIRST:
        return this.#atEnd() ? this.#close() : this.#first(final);
      case COMMA:
        return this.#atEnd() ? this.#close() : this.#comma();
      case MEMBER:
        return this.#begin(final);
      case COLON:
        if (input.byte() !== 0x3a) throw input.malformed(input.at, 'a colon is missing');
        input.at++;
        this.#due = VALUE;
        return true;
      case VALUE:
        return this.#valueStep(final);
      default:
        throw input.malformed(input.at, 'there are characters after its value');
    }
  }

  #atEnd(): boolean {
    return this.#in.byte() === (this.#frames.at(-1)!.array ? 0x5d : 0x7d);
  }

  #comma(): boolean {
    const input = this.#in;
    if (input.byte() !== 0x2c) throw input.malformed(input.at, 'a comma is missing');
    input.at++;
    this.#due = MEMBER;
    return true;
  }

  #first(final: boolean): boolean {
    const input = this.#in;
    const frame = this.#frames.at(-1)!;
    // a copy, since it is used after the buffer may be overwritten
    if (input.at > this.#gap) frame.lead = Buffer.from(input.buffer.subarray(this.#gap, input.at));
    this.#due = MEMBER;
    return this.#begin(final);
  }

  #begin(final: boolean): boolean {
    const frame = this.#frames.at(-1)!;
    if (!frame.array) return this.#key(frame, final);
    this.#next(frame);
    return true;
  }

  #key(frame: Frame, final: boolean): boolean {
    const input = this.#in;
    if (input.byte() !== 0x22) throw input.malformed(input.at, 'a name in quotes is expected');
    if (!input.complete(final)) return false;
    const scanner = this.#scanner();
    const end = scanner.string(input.at, input.end, final);
    if (end < 0) return this.#stopped(end);
    const name = textAt(input.buffer, input.at, end, scanner.escaped);
    this.#member = input.at;
    this.#state = this.#setup.envelope.step(frame.state, name);
    this.#name = name;
    input.at = end;
    this.#due = COLON;
    return true;
  }

  #valueStep(final: boolean): boolean {
    const input = this.#in;
    const { envelope, limits, matcher } = this.#setup;
    const role = envelope.role(this.#state);
    const c = input.byte();
    if (role !== 'record' && (c === 0x7b || c === 0x5b) && envelope.inner(this.#state)) {
      return this.#open(c === 0x5b);
    }
    if (!input.complete(final)) return false;
    const scanner = this.#scanner();
    const record = role === 'record';
    const name = record ? this.#name : null;
    const state = record ? matcher.begin(name) : matcher.nothing;
    const start = input.at;
    const end = scanner.scan(start, input.end, state, this.#frames.length, this.#depth, final);
    if (end < 0) return this.#stopped(end);
    if (end - this.#member > limits.record_bytes) throw input.tooLarge(limits.record_bytes);
    input.checkTo(this.#gap, end, limits.record_bytes);
    const lead = new Separator(this.#frames.at(-1), input.buffer, this.#gap, this.#member, start);
    const nothing = c === 0x6e && this.#isNothing(role);
    if (record && !nothing) {
      const size = end - this.#member;
      const piece = new JsonRecord(this.#session, input.buffer, { start, end, size, name }, lead, 0);
      const frame = this.#frames.at(-1);
      this.#pieces.push(
        frame?.element === undefined
          ? piece
          : new ElementRecord(piece, frame.element, this.#isRepeated(frame)),
      );
    } else if (nothing && role === null && this.#isList()) this.#emptyList(lead);
    else this.#around(nothing ? 'status' : role, lead, start, end, c);
    this.#done(end);
    return true;
  }

  /** Whether the current value is one of several: an element of a list or of a map. */
  #isRepeated(frame: Frame): boolean {
    return frame.array || this.#setup.envelope.any(this.#state);
  }

  /** Whether a null means that there is no record or no list: it is kept. A null among several values is a record without a data subject. */
  #isNothing(role: ReturnType<FormatSetup['envelope']['role']>): boolean {
    const { envelope } = this.#setup;
    const frame = this.#frames.at(-1);
    if (role === 'record') return frame === undefined || !this.#isRepeated(frame);
    return role === null && envelope.inner(this.#state);
  }

  /** Whether the current value is a list of records that must have one spelling if it is empty. */
  #isList(): boolean {
    const { envelope, uniform = false } = this.#setup;
    return uniform && envelope.role(envelope.item(this.#state, 0)) === 'record';
  }

  /** Writes `[]` instead of the null that some writers use for an empty list. */
  #emptyList(lead: Lead): void {
    const element = this.#frames.at(-1)?.element;
    this.#pieces.push({
      kind: 'frame',
      render: (out) => {
        const to = element?.around(out) ?? out;
        lead.write(to);
        to.text('[]');
      },
    });
  }

  /** a value around the records */
  #around(
    role: ReturnType<FormatSetup['envelope']['role']>,
    lead: Lead,
    start: number,
    end: number,
    c: number,
  ) {
    const { buffer } = this.#in;
    const element = this.#frames.at(-1)?.element;
    if (role === 'status' && !holdsObject(buffer, start, end)) {
      this.#pieces.push({
        kind: 'frame',
        render: (out) => {
          const to = element?.around(out) ?? out;
          lead.write(to);
          to.bytes(buffer, start, end);
        },
      });
      return;
    }
    const path = pathOf(this.#frames.at(-1), this.#name);
    const count = role === 'record_count' || role === 'total' ? countAt(buffer, start, end, c) : null;
    if ((role === 'record_count' || role === 'total') && count !== null) {
      const { quoted, value: counted } = count;
      // a copy: it may be written after all records, when the buffer has other bytes
      const spelled = Buffer.from(buffer.subarray(start, end));
      this.#pieces.push({
        kind: 'count',
        role,
        path,
        counted: element,
        // a quoted number is kept or nullified, never recomputed as a total
        value: quoted ? null : counted,
        begin: (out) => {
          element?.keep(out);
          lead.write(out);
        },
        render: (out, value) => {
          if (value === 'keep' || c === 0x6e) out.bytes(spelled, 0, spelled.length);
          else out.text(quoted && value !== null ? `"${value}"` : String(value));
        },
      });
      return;
    }
    const because = role === null ? 'uncatalogued' : `envelope_${role}`;
    const isRoot = this.#frames.length === 0;
    const more =
      this.#setup.uniform === true &&
      element === undefined &&
      leadsOn(this.#name ?? '', buffer.toString('latin1', start, end));
    this.#pieces.push({
      kind: 'frame',
      more,
      render: (out: Output, counter: FrameCounter) => {
        (element?.deferred ?? counter).withheld(path, because);
        if (!isRoot) return;
        lead.write(out);
        out.text('null');
      },
    });
  }

  #open(array: boolean): boolean {
    const input = this.#in;
    if (this.#frames.length >= this.#depth) throw this.#tooDeep();
    const { buffer } = input;
    const parent = this.#frames.at(-1);
    const bracket = input.at++;
    input.checkTo(this.#gap, bracket, this.#setup.limits.record_bytes);
    let element = parent?.element;
    if (parent !== undefined && !array && this.#isRepeated(parent)) element = this.#element(parent, bracket);
    else {
      const lead = new Separator(parent, buffer, this.#gap, this.#member, bracket);
      this.#pieces.push({
        kind: 'frame',
        render: (out) => {
          const to = element?.around(out) ?? out;
          lead.write(to);
          to.bytes(buffer, bracket, bracket + 1);
        },
      });
    }
    this.#frames.push({
      array,
      state: this.#state,
      parent,
      element,
      name: this.#name,
      index: 0,
      kept: 0,
      lead: NO_BYTES,
    });
    this.#gap = input.at;
    this.#due = FIRST;
    return true;
  }

  /** Creates a list element. It copies its first bytes, which are written later or not at all. */
  #element(list: Frame, bracket: number): JsonElement {
    const gap = this.#gap;
    const own = Buffer.from(this.#in.buffer.subarray(gap, bracket + 1));
    const lead = new Separator(list, own, 0, this.#member - gap, bracket - gap);
    const { limits, uniform = false } = this.#setup;
    return new JsonElement(list.element, limits.record_bytes, uniform, (out) => {
      lead.write(out);
      out.bytes(own, bracket - gap, bracket - gap + 1);
    });
  }

  #close(): boolean {
    const input = this.#in;
    const { buffer } = input;
    const gap = this.#gap;
    const end = input.at + 1;
    input.checkTo(gap, input.at, this.#setup.limits.record_bytes);
    const frame = this.#frames.pop()!;
    const { element, parent } = frame;
    const { uniform = false } = this.#setup;
    const own = element !== parent?.element;
    this.#pieces.push({
      kind: 'frame',
      render: (out, counter) => {
        if (own && element?.close(out, counter) === false) return;
        const from = uniform && frame.kept === 0 ? end - 1 : gap;
        (element?.around(out) ?? out).bytes(buffer, from, end);
      },
    });
    this.#done(end);
    return true;
  }

  #done(end: number): void {
    const input = this.#in;
    const frame = this.#frames.at(-1);
    input.at = end;
    this.#gap = end;
    this.#due = frame === undefined ? NOTHING : COMMA;
    // fast path for the usual spelling of lists: a comma and the next element
    if (frame?.array !== true || end + 1 >= input.end) return;
    if (input.buffer[end] !== 0x2c || input.buffer[end + 1]! <= 0x20) return;
    input.at = end + 1;
    this.#next(frame);
  }

  #next(frame: Frame): void {
    this.#member = this.#in.at;
    this.#state = this.#setup.envelope.item(frame.state, frame.index++);
    this.#name = null;
    this.#due = VALUE;
  }

  /** Handles white space after the value of the body. */
  #trail(): void {
    const { buffer, at } = this.#in;
    const gap = this.#gap;
    if (at === gap) return;
    this.#pieces.push({ kind: 'frame', render: (out) => out.bytes(buffer, gap, at) });
    this.#gap = at;
  }

  #stopped(why: number): false {
    const input = this.#in;
    const { errorAt } = this.#session.scanner;
    if (why === MORE) {
      input.await();
      return false;
    }
    if (why === TOO_DEEP) throw this.#tooDeep();
    if (why === AMBIGUOUS)
      throw input.malformed(errorAt, 'an object has a member twice that a catalog path selects by');
    if (why === MALFORMED) throw input.malformed(errorAt, 'it is not JSON (RFC 8259)');
    throw new SluiceError('internal', 'the scanner answered with an unknown code');
  }

  #tooDeep(): SluiceError {
    const depth = this.#depth;
    return new SluiceError(
      'response_too_deep',
      `The response has containers nested deeper than ${depth}. Raise limits.depth if that is correct.`,
    );
  }
}

/** A number with more digits is no count but a text of digits, such as a telephone number. */
const QUOTED = /^\d{1,9}$/;

/**
 * Parses a count: a number, a quoted number (OData 2, and 4 on request), or null if the upstream does not know it.
 * @returns null: the value is no count
 */
function countAt(
  buffer: Buffer,
  start: number,
  end: number,
  c: number,
): { quoted: boolean; value: number | null } | null {
  if (c === 0x2d || (c >= 0x30 && c <= 0x39) || c === 0x6e)
    return { quoted: false, value: exactly(buffer.toString('latin1', start, end)) };
  if (c !== 0x22) return null;
  const text = buffer.toString('latin1', start + 1, end - 1);
  return QUOTED.test(text) ? { quoted: true, value: Number(text) } : null;
}

/** Writes the comma, white space and key before a member as the upstream spelled them; no comma before the first kept member. */
class Separator implements Lead {
  readonly #frame: Frame | undefined;
  readonly #source: Buffer;
  readonly #gap: number;
  readonly #member: number;
  readonly #value: number;

  constructor(frame: Frame | undefined, source: Buffer, gap: number, member: number, value: number) {
    this.#frame = frame;
    this.#source = source;
    this.#gap = gap;
    this.#member = member;
    this.#value = value;
  }

  /** a withheld body must still be JSON */
  withhold(out: Output): void {
    if (this.#frame === undefined) out.text('null');
  }

  write(out: Output): void {
    const frame = this.#frame;
    if (frame !== undefined && frame.kept++ === 0) {
      if (frame.lead.length > 0) out.bytes(frame.lead, 0, frame.lead.length);
      out.bytes(this.#source, this.#member, this.#value);
    } else out.bytes(this.#source, this.#gap, this.#value);
  }
}
