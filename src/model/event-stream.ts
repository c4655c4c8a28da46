/**
 * Streams of server-sent events (WHATWG HTML, section 9.2): where events end, and what is in them. Bytes may be cut anywhere; a line ends with LF,
 * CR or CRLF.
 */

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const NOTHING = new Uint8Array(0);

/** What a stream has brought since the last call. */
export interface Arrived {
  /** complete events, as they came; null: none has become complete */
  readonly events: Uint8Array | null;
  /** there was a comment: the upstream keeps the connection alive */
  readonly alive: boolean;
  /** more events are complete: an empty chunk brings them */
  readonly more: boolean;
}

/** Each event that is being disclosed has a reader of its own: tiny ones, as many as arrive at once, would take a thousand times their bytes. */
const AT_ONCE = 256;

/** Cuts a stream at the ends of events, without waiting for another byte. Keeps at most `most` bytes of an event that has not ended. */
export class EventCutter {
  readonly #most: number;
  readonly #tooLarge: () => Error;
  readonly #atOnce: number;
  #held: Uint8Array = NOTHING;
  #length = 0;
  /** in `#held`: how far it was looked at */
  #looked = 0;
  #started = false;
  #lineEmpty = true;
  #inComment = false;
  /** the last byte was a CR: an LF that follows belongs to it */
  #afterCr = false;
  /** a line since the last boundary is a field, not a comment */
  #fields = false;
  #alive = false;

  /**
   * @param tooLarge what is thrown for an event of more than `most` bytes
   * @param atOnce number of events
   */
  constructor(most: number, tooLarge: () => Error, atOnce = AT_ONCE) {
    this.#most = most;
    this.#tooLarge = tooLarge;
    this.#atOnce = atOnce;
  }

  push(chunk: Uint8Array): Arrived {
    this.#append(chunk);
    if (!this.#started && !this.#start()) return { events: null, alive: false, more: false };
    const bytes = this.#held;
    const end = this.#length;
    let from = 0;
    let to = 0;
    let found = 0;
    let at = this.#looked;
    for (; at < end && found < this.#atOnce; at++) {
      const c = bytes[at]!;
      if (c === LF && this.#afterCr) {
        this.#afterCr = false;
        // of a line end whose CR came at the end of the last chunk
        if (to === at) to = at + 1;
        if (found === 0) from = to;
        continue;
      }
      this.#afterCr = c === CR;
      if (c === LF || c === CR) {
        if (this.#inComment) this.#alive = true;
        if (this.#lineEmpty || !this.#fields) {
          // Comments that no field precedes hold nothing that is passed on.
          if (this.#fields) found++;
          to = at + 1;
          if (found === 0) from = to;
          this.#fields = false;
        }
        this.#lineEmpty = true;
        this.#inComment = false;
      } else if (this.#lineEmpty) {
        this.#lineEmpty = false;
        this.#inComment = c === COLON;
        if (!this.#inComment) this.#fields = true;
      }
    }
    // Only the first bytes of a stream can be a byte order mark.
    const more = at < end;
    const events =
      found > 0 ? (bytes[from] === 0xef ? apart(bytes.subarray(from, to)) : bytes.subarray(from, to)) : null;
    this.#keep(to, found > 0);
    if (more) this.#looked = 0;
    else if (this.#length > this.#most) throw this.#tooLarge();
    const alive = this.#alive;
    this.#alive = false;
    return { events, alive, more };
  }

  /** The byte order mark is no part of the first line. @returns false: there are too few bytes to tell */
  #start(): boolean {
    const bytes = this.#held;
    const mark = [0xef, 0xbb, 0xbf];
    let at = 0;
    while (at < 3 && at < this.#length && bytes[at] === mark[at]) at++;
    if (at < 3 && at === this.#length) return false;
    this.#started = true;
    if (at === 3) this.#keep(3, true);
    this.#looked = 0;
    return true;
  }

  #append(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#held = chunk;
      this.#length = chunk.length;
      this.#looked = 0;
      return;
    }
    const length = this.#length + chunk.length;
    if (length > this.#held.length) {
      // doubled, so that a long event in small chunks is not copied for each of them
      const larger = new Uint8Array(length * 2);
      larger.set(this.#held.subarray(0, this.#length), 0);
      this.#held = larger;
    }
    this.#held.set(chunk, this.#length);
    this.#length = length;
  }

  /** Keeps what follows `to`. @param given what is before is in use, so that it is not overwritten */
  #keep(to: number, given: boolean): void {
    const rest = this.#held.subarray(to, this.#length);
    if (to > 0) this.#held = given || rest.length > 0 ? Uint8Array.from(rest) : NOTHING;
    this.#length -= to;
    this.#looked = this.#length;
  }
}

/** One block of a stream: the lines up to an empty one. Null: there is no such field. */
export interface ServerEvent {
  /** name of the event */
  readonly event: string | null;
  readonly id: string | null;
  /** milliseconds */
  readonly retry: number | null;
  /** the data lines, joined by LF */
  readonly data: Uint8Array | null;
}

/** The events of bytes that end where an event ends. Comments and unknown fields are left out, as readers do. */
export function* eventsIn(bytes: Uint8Array): Generator<ServerEvent, void, void> {
  let block = new Block();
  let start = 0;
  let afterCr = false;
  for (let at = 0; at < bytes.length; at++) {
    const c = bytes[at]!;
    if (c === LF && afterCr) {
      afterCr = false;
      start = at + 1;
      continue;
    }
    afterCr = c === CR;
    if (c !== LF && c !== CR) continue;
    if (at > start) block.line(bytes.subarray(start, at));
    else if (!block.empty) {
      yield block.event();
      block = new Block();
    }
    start = at + 1;
  }
}

class Block {
  #event: string | null = null;
  #id: string | null = null;
  #retry: number | null = null;
  /** the first `#length` bytes are the data so far: of one line, those of the stream */
  #data: Uint8Array | null = null;
  #length = 0;

  get empty(): boolean {
    return this.#event === null && this.#id === null && this.#retry === null && this.#data === null;
  }

  line(line: Uint8Array): void {
    // Most lines are data.
    if (isData(line)) {
      this.#add(line.subarray(line[5] === 0x20 ? 6 : 5));
      return;
    }
    const colon = line.indexOf(COLON);
    const name = Buffer.from(colon < 0 ? line : line.subarray(0, colon)).toString('latin1');
    const from = colon < 0 ? line.length : line[colon + 1] === 0x20 ? colon + 2 : colon + 1;
    const value = line.subarray(from);
    if (name === 'data') this.#add(value);
    else if (name === 'event') this.#event = textOf(value);
    else if (name === 'id') {
      const id = textOf(value);
      if (!id.includes('\0')) this.#id = id;
    } else if (name === 'retry') {
      const digits = textOf(value);
      if (/^[0-9]+$/.test(digits)) this.#retry = Number(digits);
    }
  }

  /** Joins lines as they come: a million empty ones, each kept for itself, would take a hundred times their bytes. */
  #add(value: Uint8Array): void {
    const length = this.#data === null ? value.length : this.#length + 1 + value.length;
    if (this.#data === null) this.#data = value;
    else {
      // The bytes of the stream are not written over: those of one line are always full.
      if (length > this.#data.length) {
        const larger = new Uint8Array(length * 2);
        larger.set(this.#data.subarray(0, this.#length));
        this.#data = larger;
      }
      this.#data[this.#length] = LF;
      this.#data.set(value, this.#length + 1);
    }
    this.#length = length;
  }

  event(): ServerEvent {
    return {
      event: this.#event,
      id: this.#id,
      retry: this.#retry,
      data: this.#data === null ? null : this.#data.subarray(0, this.#length),
    };
  }
}

/** `data:` */
const isData = (line: Uint8Array): boolean =>
  line[4] === COLON && line[0] === 0x64 && line[1] === 0x61 && line[2] === 0x74 && line[3] === 0x61;

const apart = (events: Uint8Array): Uint8Array => Buffer.concat([NEWLINE, events]);

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

const NEWLINE = Uint8Array.of(LF);

/** A comment without text, which keeps a connection alive. It holds nothing of the upstream's. */
export const HEARTBEAT: Uint8Array = Buffer.from(':\n\n');
