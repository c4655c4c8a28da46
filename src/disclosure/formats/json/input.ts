/**
 * Buffers the bytes of a body: one growing buffer with a cursor, with UTF-8 validated for each chunk. For an incomplete value, a finder looks for
 * its end and reads each byte once. Bytes that pieces refer to are not overwritten before all pieces are settled.
 */
import { isUtf8 } from 'node:buffer';
import { SluiceError } from '../../../errors.ts';
import { bufferOf } from './text.ts';

const NO_BYTES = Buffer.alloc(0);

/** by how much white space and separators before a value may exceed the record limit */
const SLACK = 64 * 1024;

export class JsonInput {
  buffer: Buffer = NO_BYTES;
  /** the cursor, and the end of the bytes received */
  at = 0;
  end = 0;
  started = false;
  /** no piece refers to bytes of the buffer */
  free = false;
  /** the buffer was allocated here and can be appended to */
  #owned = false;
  /** the bytes before this offset are valid UTF-8 */
  #valid = 0;
  /** number of bytes of the body before the buffer */
  #before = 0;
  // state of the finder: its position (-1: inactive), its start, and the context there
  #finder = -1;
  #began = 0;
  #depth = 0;
  #quoted = false;
  #escaped = false;

  /**
   * @param keep the first byte that is still needed
   * @returns by how much offsets into the buffer have decreased
   */
  push(chunk: Uint8Array, keep: number): number {
    const rest = this.end - keep;
    let moved = 0;
    if (this.#owned && this.end + chunk.length <= this.buffer.length) {
      this.buffer.set(chunk, this.end);
      this.end += chunk.length;
    } else if (this.#owned && this.free && rest + chunk.length <= this.buffer.length) {
      this.buffer.copyWithin(0, keep, this.end);
      this.buffer.set(chunk, rest);
      moved = this.#move(keep, this.buffer, rest + chunk.length, true);
    } else if (rest === 0) {
      moved = this.#move(keep, bufferOf(chunk), chunk.length, false);
    } else {
      // with room for the next chunks
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * rest, rest + 2 * chunk.length));
      this.buffer.copy(grown, 0, keep, this.end);
      grown.set(chunk, rest);
      moved = this.#move(keep, grown, rest + chunk.length, true);
    }
    this.#validate(this.end - unfinished(this.buffer, this.#valid, this.end));
    return moved;
  }

  /** Sets the whole body. */
  setAll(body: Uint8Array): void {
    this.buffer = bufferOf(body);
    this.end = body.length;
    this.#validate(this.end);
  }

  /** Ends the body. */
  finish(): void {
    this.#validate(this.end);
  }

  /** Skips a byte order mark; false: more bytes are needed. */
  start(final: boolean): boolean {
    const { buffer, end } = this;
    if (end === 0 || (end < 3 && buffer[0] === 0xef && !final)) return false;
    if (end >= 3 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf) this.at = 3;
    this.started = true;
    return true;
  }

  byte(): number {
    return this.buffer[this.at]!;
  }

  /** Skips white space; false: nothing else has arrived. */
  white(): boolean {
    const { buffer, end } = this;
    let at = this.at;
    while (at < end) {
      const c = buffer[at]!;
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
      at++;
    }
    this.at = at;
    return at < end;
  }

  /** Starts the finder, since the value at the cursor is incomplete. */
  await(): void {
    if (this.#finder >= 0) return;
    this.#finder = this.at;
    this.#began = this.at;
    this.#depth = 0;
    this.#quoted = false;
    this.#escaped = false;
  }

  /** Whether the value at the cursor should be scanned: it may be complete. */
  complete(final: boolean): boolean {
    if (this.#finder < 0) return true;
    if (!this.#find() && !final) return false;
    this.#finder = -1;
    return true;
  }

  /** @throws SluiceError `record_too_large` if the bytes since `from` exceed the limit */
  check(from: number, limit: number): void {
    if (this.end - from > limit + SLACK && this.at < this.end) throw this.tooLarge(limit);
    if (this.at - from > limit + SLACK) throw this.tooLarge(limit);
  }

  /** The same for a complete value, so that the result does not depend on the chunks. */
  checkTo(from: number, to: number, limit: number): void {
    if (to - from > limit + SLACK) throw this.tooLarge(limit);
  }

  malformed(at: number, what: string): SluiceError {
    return new SluiceError('response_malformed', {
      message: `The response is refused: ${what}.`,
      place: `byte ${this.#before + at}`,
    });
  }

  tooLarge(limit: number): SluiceError {
    return new SluiceError('record_too_large', {
      message: `The response has a record (or a value around the records) of more than ${limit} bytes. Set records on the route if the response is a list, or raise limits.record.`,
      place: `near byte ${this.#before + this.at}`,
    });
  }

  #move(keep: number, buffer: Buffer, end: number, owned: boolean): number {
    this.buffer = buffer;
    this.end = end;
    this.at -= keep;
    this.#valid -= keep;
    this.#finder = this.#finder < 0 ? -1 : this.#finder - keep;
    this.#began -= keep;
    this.#before += keep;
    this.#owned = owned;
    return keep;
  }

  #validate(to: number): void {
    if (to <= this.#valid) return;
    const complete = this.#valid === 0 && to === this.buffer.length;
    if (!isUtf8(complete ? this.buffer : this.buffer.subarray(this.#valid, to)))
      throw this.malformed(this.#valid, 'it is not UTF-8');
    this.#valid = to;
  }

  #find(): boolean {
    const { buffer, end } = this;
    for (let at = this.#finder; at < end; at++) {
      const c = buffer[at]!;
      if (this.#quoted) {
        if (this.#escaped) this.#escaped = false;
        else if (c === 0x5c) this.#escaped = true;
        else if (c === 0x22) {
          this.#quoted = false;
          if (this.#depth === 0) return true;
        }
      } else if (c === 0x22) this.#quoted = true;
      else if (c === 0x7b || c === 0x5b) this.#depth++;
      else if (c === 0x7d || c === 0x5d) {
        if (--this.#depth <= 0) return true;
      } else if (this.#depth === 0 && (c === 0x2c || c <= 0x20) && at > this.#began) return true;
    }
    this.#finder = end;
    return false;
  }
}

/** number of bytes of an incomplete character at the end (0 to 3) */
function unfinished(buffer: Buffer, from: number, end: number): number {
  for (let back = 1; back <= 3 && end - back >= from; back++) {
    const c = buffer[end - back]!;
    if (c < 0x80) return 0;
    if (c >= 0xc0) return back < (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
