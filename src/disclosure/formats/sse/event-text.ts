/** Collects the data of one event, then writes it in data lines: no line end in it can begin another field or another event. */
import type { Output } from '../format.ts';
import { writeJsonString, writeUtf8 } from '../shared/utf8.ts';

const FIRST = 1024;
/** a buffer that one event made longer is not kept for the next */
const KEPT = 256 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const DATA = Buffer.from('data: ');
const END = Buffer.from('\n');

export class EventText implements Output {
  #block = Buffer.allocUnsafeSlow(FIRST);
  #at = 0;

  begin(): this {
    this.#at = 0;
    if (this.#block.length > KEPT) this.#block = Buffer.allocUnsafeSlow(FIRST);
    return this;
  }

  bytes(source: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    this.#room(end - start);
    this.#block.set(source.subarray(start, end), this.#at);
    this.#at += end - start;
  }

  text(text: string): void {
    this.#room(text.length * 3);
    this.#at = writeUtf8(text, this.#block, this.#at);
  }

  json(text: string): void {
    this.#room(6 * text.length + 2);
    this.#at = writeJsonString(text, this.#block, this.#at);
  }

  /** Writes the event. @param lead its other fields, each with its line end */
  write(out: Output, lead: string): void {
    if (lead !== '') out.text(lead);
    const block = this.#block;
    let start = 0;
    for (let at = 0; at < this.#at; at++) {
      const c = block[at]!;
      if (c !== LF && c !== CR) continue;
      this.#line(out, start, at);
      if (c === CR && at + 1 < this.#at && block[at + 1] === LF) at++;
      start = at + 1;
    }
    this.#line(out, start, this.#at);
    out.bytes(END, 0, 1);
  }

  #line(out: Output, start: number, end: number): void {
    out.bytes(DATA, 0, DATA.length);
    out.bytes(this.#block, start, end);
    out.bytes(END, 0, 1);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#block.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#block.length * 2, this.#at + bytes));
    this.#block.copy(larger, 0, 0, this.#at);
    this.#block = larger;
  }
}
