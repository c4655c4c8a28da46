/** Reads records into the index, and hands those that do not stay plain over to tokens and a tree. */
import type { FormatSetup, RecordPiece } from '../format.ts';
import type { Builder } from './build.ts';
import type { Source } from './frames.ts';
import type { XmlParser } from './parser.ts';
import { MOST_NAMES, NAME, PlainIndex, PlainNames, type Scanned, STRIDE } from './plain-index.ts';
import { Places } from './plain-places.ts';
import { PlainRecord } from './plain-record.ts';
import { grow } from './plain-tree.ts';
import { XmlRecord, PLAIN } from './render.ts';
import { isSoapSpace } from './soap.ts';
import type { Naming, OpenTag } from './tree.ts';

export class PlainReader {
  readonly #setup: FormatSetup;
  readonly #naming: Naming;
  readonly #index = new PlainIndex();
  #names: PlainNames | null = null;
  #places: Places | null = null;
  #tag: OpenTag | null = null;
  #enabled: boolean;

  /** @param enabled false: no record is indexed */
  constructor(setup: FormatSetup, naming: Naming, enabled: boolean) {
    this.#setup = setup;
    this.#naming = naming;
    this.#enabled = enabled;
  }

  /** Whether records may be indexed. */
  allowed(parser: XmlParser): boolean {
    return this.#enabled && parser.allowsIndex;
  }

  /** Begins a record with its start tag, which the parser has read; false: the tag is not plain. */
  begin(tag: OpenTag, { bytes, base }: Source, parser: XmlParser): boolean {
    const { space } = parser;
    // `Envelope` and `Body` have rules of their own
    if (!this.allowed(parser) || tag.plain !== true || isSoapSpace(space)) return false;
    let names = this.#names;
    if (names === null || names.space !== space || names.spelled.length > MOST_NAMES / 2) {
      names = new PlainNames(space, this.#naming);
      this.#names = names;
      this.#places = new Places(this.#setup.matcher, names);
    }
    const { start, end } = tag.span;
    const name = names.numberOf(bytes as Buffer, base + tag.name.start, base + tag.name.end, -1);
    this.#index.begin(names, start, end, name, parser.room, this.#setup.limits.record_members);
    this.#tag = tag;
    return true;
  }

  scan({ bytes, base }: Source): Scanned {
    return this.#index.scan(bytes as Buffer, base);
  }

  /**
   * Ends the record that is complete.
   * @param lead start of the white space before it
   * @param plant makes a builder with the root of its tree
   * @throws SluiceError `response_malformed` for invalid UTF-8
   */
  end(
    source: Source,
    lead: number,
    parser: XmlParser,
    plant: () => Builder,
  ): { piece: RecordPiece; at: number } {
    const index = this.#index;
    const names = this.#names!;
    const tag = this.#tag!;
    const { base } = source;
    const bytes = source.bytes as Buffer;
    const { first, rows, at } = index;
    parser.skip(bytes.subarray(base + tag.span.end, base + at), index.lines, null);
    const tree = (): XmlRecord => {
      const builder = plant();
      grow(builder, { words: index.words, names, first, rows, bytes, base }, at);
      const spans = { ...source, lead: { start: lead, end: tag.span.start } };
      return new XmlRecord(spans, builder.finish(source), PLAIN, this.#setup.matcher);
    };
    const record = PlainRecord.of({ index, names, places: this.#places!, bytes, base, lead }, tree);
    if (record !== null) return { piece: record, at };
    // the catalog selects by a value, and probably in the next record, too
    this.#enabled = false;
    const piece = tree();
    index.drop();
    return { piece, at };
  }

  /**
   * Gives the record up before the token that is not plain.
   * @param builder has the root of its tree, and gets what was read
   * @returns where to continue, and the number of open elements within the record
   */
  leave({ bytes, base }: Source, parser: XmlParser, builder: Builder): { at: number; open: number } {
    const index = this.#index;
    const names = this.#names!;
    const at = index.abandon();
    const { words, first, rows } = index;
    const open = index.inside.map((row) => names.spelled[words[first + row * STRIDE + NAME]!]!);
    parser.skip(bytes.subarray(base + this.#tag!.span.end, base + at), index.lines, open);
    grow(builder, { words, names, first, rows, bytes: bytes as Buffer, base }, at);
    index.drop();
    return { at, open: open.length };
  }

  /** All pieces are rendered. @param open a record is being read */
  settled(open: boolean): void {
    this.#index.reset(open);
  }
}
