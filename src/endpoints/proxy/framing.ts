/**
 * Finds where an HTTP/1.1 request ends and the next begins, by the strict grammar of RFC 9112. Node's parser is lenient (bare CR or LF
 * before a request line, several spaces in it) and does not show the bytes it has read. So the bytes of a connection pass through here
 * first, and the parser gets those of one well-framed request at a time.
 *
 * The head is read by a state machine, since it may be split between any two bytes. Only framing is checked here.
 */
import { ChunkFraming } from './chunks.ts';

const START = 0;
const START_LF = 1;
const METHOD = 2;
const TARGET_FIRST = 3;
const TARGET = 4;
const VERSION = 5;
const LINE_LF = 6;
const FIELD = 7;
const NAME = 8;
const VALUE = 9;
const VALUE_LF = 10;
const HEAD_LF = 11;
const LENGTH = 12;
const CHUNKED = 13;
const DONE = 14;
const BAD = 15;

const CR = 13;
const LF = 10;
const TAB = 9;
const SPACE = 32;
const COLON = 58;
const CAPITAL_H = 72;

/** RFC 9110 §5.6.2 */
const IS_TOKEN = table((b) => /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(b)));
/** RFC 9112 §3.2: no white space, no control, nothing beyond ASCII */
const IS_TARGET = table((b) => b > SPACE && b < 127);
/** RFC 9110 §5.5: obs-text is allowed, a control character but the tab is not */
const IS_VALUE = table((b) => b === TAB || (b >= SPACE && b !== 127));

function table(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => Number(holds(byte)));
}

const VERSION_TEXT = Buffer.from('HTTP/1.');
/** RFC 9112 §2.2 lets empty lines before a request line be ignored; more than a few are refused. */
const EMPTY_LINES = 4;
/** longer names and values are none of those that frame a body */
const KEPT = 64;
const TOO_LONG = '?'.repeat(KEPT);

export class RequestFraming {
  #state: number = START;
  #emptyLines = 0;
  /** the method's first letters, while it may still be HEAD */
  #method = '';
  /** bytes of the version that have matched */
  #matched = 0;
  #minor = 0;
  /** the field's name while it may still be one that frames a body; null: it is not */
  #name: string | null = null;
  #value: string | null = null;
  #length: string | null = null;
  #coding: string | null = null;
  #left = 0;
  #chunks: ChunkFraming | null = null;
  /** why the bytes are no request, without quoting them */
  #fault: string | null = null;
  /** index of the request's first byte in the bytes pushed last */
  #begin = 0;

  get fault(): string | null {
    return this.#fault;
  }
  get begin(): number {
    return this.#begin;
  }
  /** no byte of the next request has come yet */
  get fresh(): boolean {
    return this.#state <= START_LF;
  }
  /** the head is complete: a fault from here on is one of the body */
  get inBody(): boolean {
    return this.#left > 0 || this.#chunks !== null;
  }
  get chunked(): boolean {
    return this.#chunks !== null;
  }
  /** its answer has no body, even if it is malformed (RFC 9110 §9.3.2) */
  get isHead(): boolean {
    return this.#method === 'HEAD';
  }
  get done(): boolean {
    return this.#state === DONE;
  }

  /** Prepares for the next request. */
  reset(): void {
    this.#state = START;
    this.#emptyLines = 0;
    this.#method = '';
    this.#length = null;
    this.#coding = null;
    this.#left = 0;
    this.#chunks = null;
  }

  /**
   * Continues the request at index `at`.
   * @returns the index where it stopped: after the head, after the request's last byte, at the end of the bytes, or (`fault`) at the fault
   */
  push(bytes: Uint8Array, at: number): number {
    this.#begin = at;
    if (this.#state === LENGTH) {
      const taken = Math.min(this.#left, bytes.length - at);
      this.#left -= taken;
      if (this.#left === 0) this.#state = DONE;
      return at + taken;
    }
    if (this.#state === CHUNKED) {
      const end = this.#chunks!.push(bytes, at);
      if (this.#chunks!.bad)
        return this.#refuse('has a chunked body with extensions, trailers or another odd framing', end);
      if (this.#chunks!.done) this.#state = DONE;
      return end;
    }
    return this.#head(bytes, at);
  }

  #head(bytes: Uint8Array, at: number): number {
    const { length } = bytes;
    let state = this.#state;
    let i = at;
    for (; i < length; i++) {
      const byte = bytes[i]!;
      switch (state) {
        case VALUE:
          if (this.#value === null) while (i < length && IS_VALUE[bytes[i]!] === 1) i++;
          else for (; i < length && IS_VALUE[bytes[i]!] === 1; i++) this.#keepValue(bytes[i]!);
          if (i === length) continue;
          if (bytes[i] !== CR)
            return this.#refuse('has a header field with a control character or a bare line feed', i);
          state = VALUE_LF;
          continue;
        case NAME:
          if (IS_TOKEN[byte] === 1) {
            if (this.#name !== null) this.#keepName(byte);
            continue;
          }
          if (byte !== COLON) return this.#refuse('has a header field whose name is not one', i);
          this.#value = this.#name === 'content-length' || this.#name === 'transfer-encoding' ? '' : null;
          state = VALUE;
          continue;
        case VALUE_LF:
          if (byte !== LF || !this.#field())
            return this.#refuse(this.#fault ?? 'has a line that ends in a bare carriage return', i);
          state = FIELD;
          continue;
        case FIELD:
          if (byte === CR) state = HEAD_LF;
          else if (IS_TOKEN[byte] === 1) {
            state = NAME;
            const lower = byte | 0x20;
            // Content-Length, Transfer-Encoding
            this.#name = lower === 0x63 || lower === 0x74 ? String.fromCharCode(lower) : null;
          } else return this.#refuse('has a folded line or a header field without a name', i);
          continue;
        case TARGET:
          while (i < length && IS_TARGET[bytes[i]!] === 1) i++;
          if (i === length) continue;
          if (bytes[i] !== SPACE) return this.#refuse('has a request line that is not one of HTTP/1.1', i);
          state = VERSION;
          this.#matched = 0;
          continue;
        case METHOD:
          if (IS_TOKEN[byte] === 1) {
            if (this.#method !== '' && this.#method.length < 5) this.#method += String.fromCharCode(byte);
            continue;
          }
          if (byte !== SPACE) return this.#refuse('begins with something other than a request line', i);
          state = TARGET_FIRST;
          continue;
        case TARGET_FIRST:
          if (IS_TARGET[byte] !== 1) return this.#refuse('has a request line that is not one of HTTP/1.1', i);
          state = TARGET;
          continue;
        case VERSION:
          if (
            this.#matched < VERSION_TEXT.length
              ? byte === VERSION_TEXT[this.#matched]
              : byte === 0x30 || byte === 0x31
          ) {
            this.#minor = byte - 0x30;
            this.#matched++;
          } else if (this.#matched > VERSION_TEXT.length && byte === CR) state = LINE_LF;
          else return this.#refuse('has a request line that is not one of HTTP/1.1', i);
          if (this.#matched > VERSION_TEXT.length + 1)
            return this.#refuse('has a request line that is not one of HTTP/1.1', i);
          continue;
        case LINE_LF:
          if (byte !== LF) return this.#refuse('has a line that ends in a bare carriage return', i);
          state = FIELD;
          continue;
        case HEAD_LF:
          if (byte !== LF) return this.#refuse('has a line that ends in a bare carriage return', i);
          this.#state = state;
          return this.#body(i);
        case START:
          if (IS_TOKEN[byte] === 1) {
            this.#begin = i;
            this.#method = byte === CAPITAL_H ? 'H' : '';
            state = METHOD;
          } else if (byte === CR && this.#emptyLines < EMPTY_LINES) state = START_LF;
          else return this.#refuse('begins with something other than a request line', i);
          continue;
        default:
          if (byte !== LF) return this.#refuse('begins with something other than a request line', i);
          this.#emptyLines++;
          state = START;
      }
    }
    this.#state = state;
    if (state <= START_LF) this.#begin = length;
    return length;
  }

  /** The body's framing, after the head. @param last index of the head's last byte */
  #body(last: number): number {
    const length = this.#length;
    const coding = this.#coding;
    if (coding !== null) {
      if (length !== null) return this.#refuse('has both Content-Length and Transfer-Encoding', last);
      // RFC 9112 §6.1: HTTP/1.0 does not have it, so the message may be framed for another recipient.
      if (this.#minor === 0) return this.#refuse('has a Transfer-Encoding in HTTP/1.0', last);
      if (coding !== 'chunked') return this.#refuse('has a Transfer-Encoding other than "chunked"', last);
      this.#chunks = new ChunkFraming();
      this.#state = CHUNKED;
    } else if (length !== null) {
      if (!/^\d{1,15}$/.test(length)) return this.#refuse('has a Content-Length that is no number', last);
      this.#left = Number(length);
      this.#state = this.#left === 0 ? DONE : LENGTH;
    } else this.#state = DONE;
    return last + 1;
  }

  /** @returns false for a second field that frames the body */
  #field(): boolean {
    if (this.#value === null) return true;
    const value = this.#value.replace(/[ \t]+$/, '');
    if (this.#name === 'content-length') {
      if (this.#length !== null) this.#fault = 'has more than one Content-Length';
      this.#length = value;
    } else {
      if (this.#coding !== null) this.#fault = 'has more than one Transfer-Encoding';
      this.#coding = value.toLowerCase();
    }
    return this.#fault === null;
  }

  #keepName(byte: number): void {
    this.#name = this.#name!.length < KEPT ? this.#name + String.fromCharCode(byte).toLowerCase() : null;
  }

  #keepValue(byte: number): void {
    const value = this.#value!;
    const isSpace = byte === SPACE || byte === TAB;
    if (isSpace && value === '') return;
    if (value.length < KEPT) this.#value = value + String.fromCharCode(byte);
    // The kept part could pass for a valid value.
    else if (!isSpace) this.#value = TOO_LONG;
  }

  #refuse(why: string, at: number): number {
    this.#fault = why;
    this.#state = BAD;
    return at;
  }
}
