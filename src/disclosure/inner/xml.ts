/** XML or a vCard in a field: processed like a body whose only record is the document. */
import { isSluiceError } from '../../errors.ts';
import type { Envelope, Format, FrameCounter, Output, Piece, Segment } from '../formats/format.ts';
import { vcard as vcardFormat } from '../formats/vcard/reader.ts';
import { xml as xmlFormat } from '../formats/xml/reader.ts';
import { INNER_LIMITS, type InnerFormat } from './format.ts';

const RECORD: Envelope = {
  root: 0,
  step: () => 0,
  item: () => 0,
  role: () => 'record',
  inner: () => false,
  any: () => false,
};
const NOBODY: FrameCounter = { withheld: () => {} };

const asBody = (format: Format): InnerFormat => ({
  name: format.name,
  disclose(text, matcher, program) {
    if (text.trim() === '' || !text.isWellFormed()) return null;
    const bytes = Buffer.from(text, 'utf8');
    const capture = new Capture(text, bytes);
    try {
      const reader = format.open({
        matcher,
        envelope: RECORD,
        charset: 'utf-8',
        charsetCertain: true,
        options: {},
        limits: INNER_LIMITS,
      });
      const pieces: readonly Piece[] = [...reader.push(bytes), ...reader.end()];
      // a second record would have no known data subject
      if (pieces.filter(({ kind }) => kind === 'record').length !== 1) return null;
      for (const piece of pieces) {
        if (piece.kind === 'record') piece.render(capture, { matcher, program: () => program });
        else if (piece.kind === 'frame') piece.render(capture, NOBODY);
        else return null;
      }
    } catch (error) {
      if (isSluiceError(error)) return null;
      throw error;
    }
    return capture.segments;
  },
});

export const xml = asBody(xmlFormat);
export const vcard = asBody(vcardFormat);

/** Records the output as segments: ranges of the document for copied bytes, texts for the others. */
class Capture implements Output {
  readonly segments: Segment[] = [];
  readonly #text: string;
  readonly #bytes: Buffer;
  /** the same position in the bytes and in the text */
  #byte = 0;
  #char = 0;

  constructor(text: string, bytes: Buffer) {
    this.#text = text;
    this.#bytes = bytes;
  }

  bytes(source: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    const from = source.byteOffset + start - this.#bytes.byteOffset;
    const isOurs =
      source.buffer === this.#bytes.buffer && from >= this.#byte && from + end - start <= this.#bytes.length;
    const written = Buffer.from(source.buffer, source.byteOffset + start, end - start).toString('utf8');
    if (!isOurs) {
      this.text(written);
      return;
    }
    this.#char += this.#bytes.toString('utf8', this.#byte, from).length;
    const at = this.#char;
    this.#char += written.length;
    this.#byte = from + end - start;
    const last = this.segments.at(-1);
    if (last !== undefined && 'to' in last && last.to === at)
      this.segments[this.segments.length - 1] = { from: last.from, to: this.#char };
    else this.segments.push({ from: at, to: this.#char });
    if (this.#text.slice(at, this.#char) !== written)
      throw new Error('an offset of the inner document is wrong');
  }

  text(text: string): void {
    this.segments.push({ text });
  }

  json(text: string): void {
    this.text(JSON.stringify(text));
  }
}
